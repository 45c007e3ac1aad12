// What does a report look like as one file? The order of the live page, every number in digits beside its picture, no script, nothing
// loaded from anywhere: it opens by a double click, prints, and is still true in ten years.
import { countText, levelText, shareText } from '../../decision/index.ts';
import { createFigures } from './figures.ts';
import { html, type Markup, section, table } from './markup.ts';
import { drawCriteria, drawMetrics, drawSegments } from './metric-sections.ts';
import { drawLatency, drawLevels, drawLooks, drawSplit } from './picture-sections.ts';
import { absent, type Cell, type HtmlReportInput, level, type Sheet } from './sheet.ts';
import { styleSheet } from './style.ts';
import { drawValues } from './value-section.ts';

/** The whole document. */
export function renderHtmlReport(input: HtmlReportInput): string {
  const { report } = input;
  const isBroken = report.verdict.kind === 'invalid' || !report.checks.sampleRatio.ok;
  const sheet: Sheet = {
    input,
    report,
    figures: createFigures(),
    unitOf: (metric) =>
      input.units?.[metric] ??
      (report.metrics.find(({ name }) => name === metric)?.kind === 'proportion' ? 'share' : 'number'),
    withheld: isBroken && input.showInvalid !== true ? 'withheld: the split is broken' : undefined,
    isMarked: isBroken && input.showInvalid === true,
  };
  const title = `${report.experiment}: ${report.verdict.kind}`;
  const body = [
    html`<header><h1>${report.experiment}</h1>${input.hypothesis ? html`<p>${input.hypothesis}</p>` : undefined}<p class="muted">${headText(sheet)}</p></header>`,
    drawVerdict(sheet),
    section('variants', 'Variants', [drawVariants(sheet)]),
    section('health', 'Health', [drawChecks(sheet)]),
    section('metrics', `Metrics against ${report.control}`, drawMetrics(sheet)),
    section('criteria', 'Criteria', [drawCriteria(sheet)]),
    section('value', 'Value', drawValues(sheet)),
    section('over-time', 'Over time', drawLooks(sheet)),
    section('split', 'Split', [drawSplit(sheet)]),
    section('latency', 'Latency', drawLatency(sheet)),
    section('truth', 'By time of first exposure', drawLevels(sheet)),
    section('segments', 'Segments', drawSegments(sheet)),
    section('published', 'Published figures', [drawPublished(sheet)]),
    section('findings', 'Findings', [drawFindings(sheet)]),
    section('methods', 'Methods', [drawMethods(sheet)]),
    html`<footer><p>Made by Assay from the evidence as of ${input.asOf} (UTC). Digest ${input.digest.slice(0, 12)}. Shares of a difference are percentage points (pp); intervals have the level of the experiment, 95 % unless it says otherwise.</p></footer>`,
  ];
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${title}</title><style>${{ html: styleSheet }}</style></head><body><main>${body}</main></body></html>
`.html;
}

function headText({ input, report }: Sheet): string {
  const units = report.variants.reduce((sum, each) => sum + each.units, 0);
  const span = report.from === undefined || report.to === undefined ? '' : `${report.from} to ${report.to}`;
  const namespace = report.namespace === 'default' ? '' : `namespace ${report.namespace}`;
  return [input.state ?? '', namespace, `${countText(units)} ${report.unit}s`, span, `as of ${input.asOf}`]
    .filter((each) => each !== '')
    .join(' · ');
}

function drawVerdict({ report, isMarked, withheld }: Sheet): Markup {
  const { verdict } = report;
  const { headline, because, but, next } = verdict;
  const wouldChange = verdict.outlook?.wouldChange ?? [];
  const kinds: Readonly<Record<typeof verdict.kind, string>> = {
    ship: '▲ SHIP',
    'roll-back': '▼ ROLL BACK',
    'keep-testing': '◌ KEEP TESTING',
    'no-difference': '＝ NO DIFFERENCE that matters',
    invalid: '⚠ INVALID: draw no conclusion',
  };
  const isBroken = withheld !== undefined || isMarked;
  return html`<div class="banner ${isBroken ? 'invalid' : verdict.kind}" role="note">${isBroken ? html`<p class="stamp">INVALID</p>` : undefined}<p class="kind">${kinds[verdict.kind]}${verdict.kind === 'invalid' ? '' : ` (${verdict.variant})`}</p><p><strong>${headline}</strong></p>${because.map((each) => html`<p>${each}</p>`)}${but === undefined ? undefined : html`<p>But: ${but}</p>`}<p>Next: ${next}</p>${isBroken ? undefined : html`<details open><summary>All reasons</summary><ul>${verdict.reasons.map(({ text }) => html`<li>${text}</li>`)}</ul></details>`}${wouldChange.length === 0 ? undefined : html`<p><strong>What would change this</strong></p><ul>${wouldChange.map((each) => html`<li>${each}</li>`)}</ul>`}<p class="muted">Recommendation: ${verdict.recommendation}${typeof verdict.pointRule === 'string' && !isBroken ? `; the customary rule on point estimates would have said ${verdict.pointRule}` : ''}.</p></div>`;
}

function drawVariants({ report }: Sheet): Markup {
  return table('Units by their first exposure; failures and latency of the variant’s own attempts', {
    heads: ['variant', 'units', 'share', 'asked', 'requests', 'failed', 'fallback', 'p50', 'p95', 'p99'],
    rows: report.variants.map((each) => {
      const latency = each.attemptMs;
      // Said once: the reason is the same for all three.
      const ms = (of: 'p50' | 'p95' | 'p99'): Cell =>
        'reason' in latency ? (of === 'p50' ? absent(latency) : '') : level(latency[of], 'ms');
      return [
        `${each.name}${each.name === report.control ? ' (control)' : ''}`,
        countText(each.units),
        shareText(each.share),
        shareText(each.expectedShare),
        countText(each.requests),
        level(each.failureRate, 'share'),
        level(each.fallbackRate, 'share'),
        ms('p50'),
        ms('p95'),
        ms('p99'),
      ];
    }),
  });
}

function drawChecks({ report }: Sheet): Markup {
  const items = Object.values(report.checks).map(
    ({ ok, text, fix }) =>
      html`<li class="${ok ? 'ok' : 'failed'}"><span>${text}${fix === undefined ? '' : ` ${fix}`}</span></li>`,
  );
  return html`<ul>${items}</ul>`;
}

function drawPublished({ report }: Sheet): Markup | undefined {
  if (report.published === undefined || report.published.length === 0) return undefined;
  return table('Every figure that was published, beside what its own inputs give', {
    heads: ['figure', 'published', 'recomputed', 'by', 'reproduced'],
    rows: report.published.map(({ name, published, recomputed, formula, reproduced, note }) => [
      name,
      levelText(published, { unit: 'number' }),
      level(recomputed, 'number'),
      html`<span class="words">${formula}${note === undefined ? '' : `; ${note}`}</span>`,
      reproduced ? 'yes' : 'no',
    ]),
  });
}

/** Findings that tell an effect. */
const effectFindings: readonly string[] = [
  'point-rule-differs',
  'rare-events',
  'simpson',
  'rests-on-one-segment',
  'effect-differs-by-segment',
  'effect-changes-over-time',
];

function drawFindings({ report, withheld }: Sheet): Markup | undefined {
  const shown = report.findings.filter(({ code }) => withheld === undefined || !effectFindings.includes(code));
  if (shown.length === 0) return undefined;
  return html`<ul>${shown.map(({ code, text }) => html`<li>${text} <span class="muted">(${code})</span></li>`)}</ul>`;
}

function drawMethods({ report }: Sheet): Markup {
  const lines = report.metrics.map(({ name, method, per, variants }) => {
    const special = variants.flatMap(({ variant, difference }) =>
      difference === undefined || 'reason' in difference || difference.because === undefined
        ? []
        : [`; ${variant}: ${difference.method ?? method}, ${difference.because}`],
    );
    return html`<li>${name}: ${method}${per === undefined ? '' : `, one value per ${per}`}${special.join('')}</li>`;
  });
  return html`<ul>${lines}</ul>`;
}
