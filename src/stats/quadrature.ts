// How large is the area under a curve whose features may have very different widths, to nearly full precision?

/** Nodes of the 21-point Kronrod rule on [-1, 1], the non-negative half from outside in. @see Piessens et al. 1983 */
const nodes: readonly number[] = [
  0.9956571630258081, 0.9739065285171717, 0.9301574913557082, 0.8650633666889845, 0.7808177265864169,
  0.6794095682990244, 0.5627571346686047, 0.4333953941292472, 0.2943928627014602, 0.14887433898163122, 0,
];
const kronrodWeights: readonly number[] = [
  0.011694638867371874, 0.032558162307964725, 0.054755896574352, 0.07503967481091996, 0.0931254545836976,
  0.10938715880229764, 0.12349197626206584, 0.13470921731147334, 0.14277593857706009, 0.1477391049013385,
  0.1494455540029169,
];
/** Weights of the 10-point Gauss rule at nodes 1, 3, 5, 7, 9 above. */
const gaussWeights: readonly number[] = [
  0.06667134430868814, 0.1494513491505806, 0.21908636251598204, 0.26926671930999635, 0.29552422471475287,
];

interface Panel {
  readonly from: number;
  readonly to: number;
  readonly area: number;
  readonly error: number;
}

/**
 * Area under f over a finite range, by bisecting the panel with the largest error until the relative error is about
 * 1e-13 (or only rounding is left).
 * @param breaks ends of the range and points between where f changes its scale; any order, at least two different ones
 * @see Piessens, de Doncker, Uberhuber & Kahaner 1983, QUADPACK, algorithm QAG with the 10/21-point pair
 */
export function integrate(f: (x: number) => number, breaks: readonly number[]): number {
  const points = [...new Set(breaks)].sort((a, b) => a - b);
  const panels: Panel[] = [];
  for (let i = 1; i < points.length; i += 1) panels.push(panelOf(f, points[i - 1]!, points[i]!));
  for (let step = 0; step < 400; step += 1) {
    let worst = 0;
    let error = 0;
    let area = 0;
    for (const [i, panel] of panels.entries()) {
      area += Math.abs(panel.area);
      error += panel.error;
      if (panel.error > panels[worst]!.error) worst = i;
    }
    if (!(error > 1e-13 * area)) break;
    const { from, to } = panels[worst]!;
    const middle = from + (to - from) / 2;
    if (middle === from || middle === to) break;
    panels[worst] = panelOf(f, from, middle);
    panels.push(panelOf(f, middle, to));
  }
  return panels.reduce((sum, panel) => sum + panel.area, 0);
}

function panelOf(f: (x: number) => number, from: number, to: number): Panel {
  const half = (to - from) / 2;
  const centre = from + half;
  const last = nodes.length - 1;
  const middle = f(centre);
  let kronrod = middle * kronrodWeights[last]!;
  let gauss = 0;
  const values: number[] = [];
  for (let i = 0; i < last; i += 1) {
    const low = f(centre - half * nodes[i]!);
    const high = f(centre + half * nodes[i]!);
    values.push(low, high);
    kronrod += (low + high) * kronrodWeights[i]!;
    if (i % 2 === 1) gauss += (low + high) * gaussWeights[(i - 1) / 2]!;
  }
  const mean = kronrod / 2;
  let spread = Math.abs(middle - mean) * kronrodWeights[last]!;
  for (const [i, value] of values.entries()) spread += Math.abs(value - mean) * kronrodWeights[i >> 1]!;
  const difference = Math.abs(kronrod - gauss);
  // QUADPACK's estimate: the pair's difference is far too careful once the rules agree to some digits.
  const error = spread > 0 ? spread * Math.min(1, ((200 * difference) / spread) ** 1.5) : difference;
  // Halving a panel whose rules differ by rounding only gains nothing.
  const isRounding = difference <= 1e-14 * Math.abs(kronrod);
  return { from, to, area: kronrod * half, error: isRounding ? 0 : error * half };
}

/** Where to look for the peak of a log-concave function, and which scales it has. */
export interface Landscape {
  /** A point where the function is finite. */
  readonly start: number;
  /** A typical width, > 0. */
  readonly scale: number;
  /** Points where the function may change its scale. */
  readonly breaks: readonly number[];
}

/**
 * ln of the area under exp(logF) over the whole line, for a concave logF; keeps its relative accuracy however far down
 * the peak lies.
 */
export function logAreaUnderConcave(logF: (x: number) => number, landscape: Landscape): number {
  const peakAt = findPeak(logF, landscape);
  const peak = logF(peakAt);
  if (peak === -Infinity) return -Infinity;
  const edge = (direction: 1 | -1): number => {
    let step = landscape.scale;
    // A concave function that has lost e^-45 falls at least as steeply from there on.
    while (logF(peakAt + direction * step) > peak - 45) step *= 2;
    let near = 0;
    let far = step;
    for (let i = 0; i < 60 && logF(peakAt + direction * far) < peak - 60; i += 1) {
      const middle = (near + far) / 2;
      if (logF(peakAt + direction * middle) < peak - 45) far = middle;
      else near = middle;
    }
    return peakAt + direction * far;
  };
  const low = edge(-1);
  const high = edge(1);
  const inside = landscape.breaks.filter((x) => x > low && x < high);
  return peak + Math.log(integrate((x) => Math.exp(logF(x) - peak), [low, ...inside, peakAt, high]));
}

/** Roughly where a concave function is largest: steps that double uphill, then golden sections. */
function findPeak(logF: (x: number) => number, { start, scale }: Landscape): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  const direction = logF(start + scale) >= logF(start) ? 1 : -1;
  let step = scale;
  let best = start;
  let last = start;
  while (logF(best + direction * step) > logF(best)) {
    last = best;
    best += direction * step;
    step *= 2;
  }
  let a = Math.min(last, best + direction * step);
  let b = Math.max(last, best + direction * step);
  if (last === best) {
    a = best - scale;
    b = best + scale;
  }
  // The peak only divides the range, so four digits of its place are plenty.
  for (let i = 0; i < 20; i += 1) {
    const x = b - golden * (b - a);
    const y = a + golden * (b - a);
    if (logF(x) < logF(y)) a = x;
    else b = y;
  }
  // Where the function ends at its peak the middle may lie outside.
  return [a, (a + b) / 2, b, best].reduce((top, x) => (logF(x) > logF(top) ? x : top));
}
