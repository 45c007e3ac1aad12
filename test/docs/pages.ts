// What stands in the documentation: pages, their fenced blocks, inline code, links and anchors.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** One page; `path` is relative to the repository. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** A fenced block. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** `README.md:12`, the line of its fence. */
  readonly place: string;
}

/** A piece of text and where it stands. */
export interface Found {
  readonly text: string;
  readonly place: string;
}

/** Every page people read: the three beside the code, and docs/ with all beneath it. */
export function readPages(): readonly Page[] {
  const docs = readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`);
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs].map(readPage);
}

/** One page by its path. */
export function readPage(path: string): Page {
  return { path, text: readFileSync(`${root}${path}`, 'utf8') };
}

/** The fenced blocks of a page in order, all or those of one language. */
export function blocksOf({ path, text }: Page, language?: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; place: string } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (open === undefined) {
      if (fence !== null) open = { language: fence[1] ?? '', lines: [], place: `${path}:${index + 1}` };
    } else if (fence === null) open.lines.push(line);
    else {
      blocks.push({ language: open.language, text: open.lines.join('\n'), place: open.place });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${open.place}: the block is never closed`);
  return language === undefined ? blocks : blocks.filter((block) => block.language === language);
}

/** The lines of a page outside its fenced blocks. */
function proseOf({ path, text }: Page): readonly Found[] {
  let isInside = false;
  return text.split('\n').flatMap((line, index) => {
    const isFence = /^\s*```/.test(line);
    if (isFence) isInside = !isInside;
    return isFence || isInside ? [] : [{ text: line, place: `${path}:${index + 1}` }];
  });
}

/** Inline code of a page. */
export function inlineCodeOf(page: Page): readonly Found[] {
  return proseOf(page).flatMap(({ text, place }) =>
    [...text.matchAll(/(`+)(.+?)\1/g)].map((match) => ({ text: (match[2] ?? '').trim(), place })),
  );
}

/** Targets of links and images that stay within the repository. */
export function linksOf(page: Page): readonly Found[] {
  return proseOf(page).flatMap(({ text, place }) => {
    const withoutCode = text.replace(/(`+).+?\1/g, '');
    const targets = [
      ...withoutCode.matchAll(/\]\(([^)\s]+)[^)]*\)/g),
      ...withoutCode.matchAll(/^\[[^\]]+\]:\s*(\S+)/g),
    ];
    return targets.map((match) => ({ text: match[1] ?? '', place })).filter((link) => !/^[a-z]+:/.test(link.text));
  });
}

/** The anchors of a page, as GitHub makes them from its headings. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const { text } of proseOf(page)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(text)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    let anchor = slug;
    for (let nth = 1; anchors.has(anchor); nth += 1) anchor = `${slug}-${nth}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The rows of the first table after a heading, cells without their backticks; the head row is left out. */
export function tableUnder(page: Page, heading: string): readonly (readonly string[])[] {
  const lines = page.text.split('\n');
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, '').replaceAll('`', '') === heading,
  );
  if (start < 0) throw new Error(`${page.path} has no heading "${heading}"`);
  const head = lines.findIndex((line, index) => index > start && line.startsWith('|'));
  const end = lines.findIndex((line, index) => index > head && !line.startsWith('|'));
  return lines.slice(head + 2, end < 0 ? lines.length : end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}
