// How does something on the page become a file? Tables as CSV, charts as SVG or PNG, all made here in the browser.

/** Hands a file to the reader. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Rows as CSV (RFC 4180), the header first; a cell that a spreadsheet would run as a formula gets a quote before it. */
export function csvText(rows: readonly (readonly (string | number | boolean | undefined)[])[]): string {
  const cell = (value: string | number | boolean | undefined): string => {
    const text = value === undefined ? '' : String(value);
    const safe =
      typeof value === 'string' && /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

/** Saves rows as CSV. */
export function saveCsv(name: string, rows: Parameters<typeof csvText>[0]): void {
  saveFile(`${name}.csv`, new Blob([csvText(rows)], { type: 'text/csv;charset=utf-8' }));
}

/** A chart as a document of its own: with its background, and with notes (as of, method, INVALID) below it, because pictures travel. */
function svgText(chart: SVGSVGElement, notes: readonly string[]): string {
  const copy = chart.cloneNode(true) as SVGSVGElement;
  copy.querySelector('[data-cursor]')?.remove();
  const { width, height } = sizeOf(chart);
  const style = getComputedStyle(chart);
  const below = 16 * notes.length + 8;
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(width));
  copy.setAttribute('height', String(height + below));
  copy.setAttribute('viewBox', `0 0 ${width} ${height + below}`);
  copy.setAttribute('font-family', 'system-ui, sans-serif');
  copy.setAttribute('font-size', '11');
  copy.setAttribute('color', style.color);
  const make = (name: string, attributes: Readonly<Record<string, string>>): SVGElement => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const card = getComputedStyle(chart.closest('.card') ?? document.body).backgroundColor;
  copy.prepend(make('rect', { width: '100%', height: '100%', fill: card }));
  for (const [at, note] of notes.entries()) {
    const line = make('text', { x: '8', y: String(height + 14 + 16 * at), fill: style.color });
    line.textContent = note;
    copy.append(line);
  }
  return new XMLSerializer().serializeToString(copy);
}

/** Saves a chart as SVG. */
export function saveSvg(
  name: string,
  options: { readonly chart: SVGSVGElement; readonly notes: readonly string[] },
): void {
  saveFile(`${name}.svg`, new Blob([svgText(options.chart, options.notes)], { type: 'image/svg+xml' }));
}

/** Saves a chart as PNG with twice the points. */
export async function savePng(
  name: string,
  options: { readonly chart: SVGSVGElement; readonly notes: readonly string[] },
): Promise<void> {
  const url = URL.createObjectURL(new Blob([svgText(options.chart, options.notes)], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = image.width * 2;
    canvas.height = image.height * 2;
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const png = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
    if (png !== null) saveFile(`${name}.png`, png);
  } finally {
    URL.revokeObjectURL(url);
  }
}

function sizeOf(chart: SVGSVGElement): { readonly width: number; readonly height: number } {
  const { width, height } = chart.viewBox.baseVal ?? { width: 0, height: 0 };
  return { width: width || chart.clientWidth, height: height || chart.clientHeight };
}
