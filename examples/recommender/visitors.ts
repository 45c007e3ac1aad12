// Visitors of the shop: each asks for recommendations and clicks what fits their taste; the shop posts its own events, unchanged.
// Run it with `npx tsx examples/recommender/visitors.ts http://127.0.0.1:8080 http://127.0.0.1:8081`.
import { pathToFileURL } from 'node:url';
import { catalogue, chanceOf, tasteOf } from './service.ts';

/** Options of `sendVisitors`. */
export interface VisitOptions {
  /** Where recommendations are asked for. */
  readonly gatewayUrl: string;
  /** Where events go. */
  readonly apiUrl: string;
  /** Default 300. */
  readonly users?: number;
  /** Requests of each; default 2. */
  readonly visits?: number;
}

/** What the visitors saw and did, by the variant the gateway named. */
export interface Tally {
  users: number;
  shown: number;
  clicks: number;
  newShown: number;
  newClicks: number;
  revenue: number;
  clickingUsers: number;
}

interface Shown {
  readonly recommendations: readonly { readonly item_id: string; readonly is_new: boolean }[];
  readonly model_used: string;
}

/** Sends the visitors, eight at a time. @throws Error for any answer that is not 200. */
export async function sendVisitors(options: VisitOptions): Promise<Readonly<Record<string, Tally>>> {
  const { users = 300 } = options;
  const tallies: Record<string, Tally> = {};
  let next = 0;
  const visitor = async (): Promise<void> => {
    while (next < users) {
      const user = next;
      next += 1;
      await visit(`user-${user}`, { ...options, isNewUser: user % 3 === 0, tallies });
    }
  };
  await Promise.all(Array.from({ length: 8 }, visitor));
  return tallies;
}

async function visit(
  userId: string,
  {
    gatewayUrl,
    apiUrl,
    visits = 2,
    isNewUser,
    tallies,
  }: VisitOptions & { isNewUser: boolean; tallies: Record<string, Tally> },
): Promise<void> {
  let tally: Tally | undefined;
  let hasClicked = false;
  for (let turn = 0; turn < visits; turn += 1) {
    const reply = await post(`${gatewayUrl}/v1/recommend`, {
      user_id: userId,
      page: turn === 0 ? 'home' : 'basket',
      is_new_user: isNewUser,
    });
    const variant = reply.headers.get('x-assay-variant') ?? 'none';
    const { recommendations, model_used: model } = (await reply.json()) as Shown;
    tallies[variant] ??= { users: 0, shown: 0, clicks: 0, newShown: 0, newClicks: 0, revenue: 0, clickingUsers: 0 };
    tally = tallies[variant];
    if (turn === 0) tally.users += 1;
    for (const [place, item] of recommendations.entries()) {
      tally.shown += 1;
      tally.newShown += Number(item.is_new);
      if (!clicks(`${userId} ${turn} ${item.item_id}`, { userId, itemId: item.item_id, place })) continue;
      const amount = Math.round(chanceOf(`price of ${userId} ${item.item_id}`) * 4_000) / 100;
      const event = { user_id: userId, item_id: item.item_id, timestamp: new Date().toISOString() };
      const events: object[] = [{ ...event, event_type: 'recommendation_click', model_variant_served: model }];
      events.push({ ...event, event_type: 'page_view' });
      if (amount > 20) events.push({ ...event, event_type: 'purchase', amount });
      await post(`${apiUrl}/api/v1/events/recommender`, events);
      hasClicked = true;
      tally.clicks += 1;
      tally.newClicks += Number(item.is_new);
      if (amount > 20) tally.revenue += amount;
    }
  }
  if (tally !== undefined && hasClicked) tally.clickingUsers += 1;
}

/** A visitor clicks what fits their taste, less so further down; a launch draws clicks whoever they are. */
function clicks(
  chance: string,
  at: { readonly userId: string; readonly itemId: string; readonly place: number },
): boolean {
  const item = catalogue.find(({ item_id: id }) => id === at.itemId);
  if (item === undefined) return false;
  const interest = (item.genre === tasteOf(at.userId) ? 0.35 : 0.03) + (item.is_new ? 0.08 : 0);
  return chanceOf(`click ${chance}`) < interest / (1 + at.place / 4);
}

async function post(url: string, body: unknown): Promise<Response> {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}: ${await reply.text()}`);
  return reply;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [gatewayUrl = 'http://127.0.0.1:8080', apiUrl = 'http://127.0.0.1:8081'] = process.argv.slice(2);
  process.stdout.write(`${JSON.stringify(await sendVisitors({ gatewayUrl, apiUrl }), null, 2)}\n`);
}
