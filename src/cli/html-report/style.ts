// How does the file look, on a screen and on paper? One style sheet within it; nothing is loaded from anywhere.

/** Colours that hold on white for every kind of colour vision, with a shape beside each. */
export const palette: {
  readonly [name in 'control' | 'better' | 'worse' | 'undecided' | 'text' | 'muted' | 'grid']: string;
} & { readonly variants: readonly string[] } = {
  control: '#24292f',
  variants: ['#7260bd', '#107d61', '#906a21', '#901674'],
  better: '#0e5794',
  worse: '#ab4721',
  undecided: '#656d76',
  text: '#1f2328',
  muted: '#57606a',
  grid: '#d8dee4',
};

/** The file's style sheet. */
export const styleSheet: string = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; background: #fff; color: ${palette.text};
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid ${palette.grid}; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0; max-width: 46rem; }
ul { margin: .4rem 0; padding-left: 1.3rem; max-width: 48rem; }
li { margin: .2rem 0; }
.muted { color: ${palette.muted}; }
.banner { margin: 1rem 0; padding: .9rem 1.1rem; border: 1px solid; border-left-width: 8px; }
.banner .kind { font-size: 1.25rem; font-weight: 700; margin: 0; }
.banner.ship { color: #0b4a80; background: #e6f0fa; }
.banner.roll-back { color: #8a3413; background: #fdeee6; }
.banner.keep-testing, .banner.no-difference { color: #424a53; background: #eef1f4; }
.banner.invalid { color: #24292f; background: #fff1c2;
  border-image: repeating-linear-gradient(45deg, #24292f 0 6px, #fff1c2 6px 12px) 8; }
.stamp { display: inline-block; margin: 0 0 .3rem; padding: 0 .5rem; border: 2px solid #24292f; background: #fff1c2; color: #24292f;
  font-weight: 700; letter-spacing: .08em; }
.withheld { color: ${palette.muted}; font-style: italic; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1rem; }
caption { text-align: left; color: ${palette.muted}; padding-bottom: .3rem; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid ${palette.grid}; vertical-align: top; }
th { font-weight: 600; } thead th { border-bottom-color: ${palette.text}; }
.name { text-align: left; } .figure { text-align: right; }
td.figure { white-space: nowrap; } td.figure .words { white-space: normal; display: inline-block; min-width: 7rem; max-width: 16rem; font-size: .85em; }
figure { margin: .8rem 0 1.2rem; break-inside: avoid; }
figcaption { max-width: 46rem; margin-bottom: .3rem; }
svg { max-width: 100%; height: auto; }
.ok::marker { content: "✓ "; } .failed::marker { content: "✕ "; } .failed { font-weight: 600; } .failed span { font-weight: 400; }
footer { margin-top: 3rem; color: ${palette.muted}; font-size: .85rem; }
@media print {
  @page { margin: 15mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { break-after: avoid; } tr, .banner { break-inside: avoid; } thead { display: table-header-group; }
  .table { overflow: visible; } td.figure { white-space: normal; }
  .banner, .stamp { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
