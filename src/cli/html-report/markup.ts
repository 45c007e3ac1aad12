// How does text become HTML without ever becoming markup by itself? Everything that is put in is escaped, unless it was made here.

/** HTML that was made here and needs no escaping. */
export interface Markup {
  readonly html: string;
}

type Part = string | number | Markup | undefined | readonly (string | number | Markup | undefined)[];

/** A template whose parts are escaped; undefined parts vanish. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { html: strings.reduce((text, each, place) => text + each + textOf(parts[place]), '') };
}

/** Markup that somebody else made and vouches for: the SVG of a chart. */
export function trusted(text: string): Markup {
  return { html: text };
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (Array.isArray(part)) return part.map((each) => textOf(each as Part)).join('');
  if (typeof part === 'object') return (part as Markup).html;
  return escapeText(String(part));
}

/** The text with the five characters that mean something in HTML replaced. */
export function escapeText(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character);
}

/** A table with a caption, a row of heads and rows of cells; the first cell of each row names it. */
export function table(
  caption: string,
  { heads, rows }: { readonly heads: readonly string[]; readonly rows: readonly (readonly Part[])[] },
): Markup {
  const head = heads.map(
    (each, place) => html`<th scope="col" class="${place === 0 ? 'name' : 'figure'}">${each}</th>`,
  );
  const body = rows.map(
    ([name, ...cells]) =>
      html`<tr><th scope="row" class="name">${name}</th>${cells.map((cell) => html`<td class="figure">${cell}</td>`)}</tr>`,
  );
  return html`<div class="table"><table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** A section with an anchor; undefined where it has no content. */
export function section(id: string, title: string, content: readonly (Markup | undefined)[]): Markup | undefined {
  const filled = content.filter((each) => each !== undefined && each.html !== '');
  return filled.length === 0 ? undefined : html`<section id="${id}"><h2>${title}</h2>${filled}</section>`;
}
