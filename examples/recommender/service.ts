// A recommender as people have it: one HTTP service, two models, told which to use by `model_variant` in the request.
// Run it alone with `npx tsx examples/recommender/service.ts 9001`.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';

/** What can be recommended. */
export interface CatalogueItem {
  readonly item_id: string;
  readonly genre: number;
  /** Share of all users who like it, 0..1. */
  readonly popularity: number;
  /** Launched this week. */
  readonly is_new: boolean;
}

/** Genres of items and of users' tastes. */
export const genres = 5;
/** Thirty items, six of a genre; three were launched this week and are popular for being new. */
export const catalogue: readonly CatalogueItem[] = Array.from({ length: 30 }, (_, index) => ({
  item_id: `item-${index}`,
  genre: index % genres,
  popularity: index < 3 ? 0.95 - index / 100 : 0.8 - index / 40,
  is_new: index < 3,
}));

/** A number in [0, 1) that belongs to a text: taste and chance of the story, the same in every run. */
export function chanceOf(text: string): number {
  let hash = 2166136261;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** The genre a user likes. */
export function tasteOf(userId: string): number {
  return Math.floor(chanceOf(`taste of ${userId}`) * genres);
}

/** Five items: `v1` the most popular ones, `v2` those of the user's taste first. */
function recommend(userId: string, model: string): readonly { item_id: string; score: number; is_new: boolean }[] {
  const scored = catalogue.map((item) => ({
    item_id: item.item_id,
    is_new: item.is_new,
    score: item.popularity + (model === 'v2' && item.genre === tasteOf(userId) ? 1 : 0),
  }));
  return scored.sort((a, b) => b.score - a.score || (a.item_id < b.item_id ? -1 : 1)).slice(0, 5);
}

/** Options of `startService`. */
export interface ServiceOptions {
  /** Port on the loopback; 0, the default, takes any free one. */
  readonly port?: number;
  /** A fault worth finding: every n-th request is answered by v1, whatever was asked. */
  readonly ignoresEvery?: number;
}

/** Starts the service. */
export async function startService(options: ServiceOptions = {}): Promise<{ url: string; close: () => Promise<void> }> {
  let requests = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      requests += 1;
      const { user_id: userId, model_variant: asked } = JSON.parse(body) as { user_id: string; model_variant: string };
      const isIgnored = options.ignoresEvery !== undefined && requests % options.ignoresEvery === 0;
      const model = isIgnored ? 'v1' : asked;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ recommendations: recommend(userId, model), model_used: model }));
    });
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { url } = await startService({ port: Number(process.argv[2] ?? 9001) });
  process.stdout.write(`recommender  ${url}\n`);
}
