// May a ramp take its next step? What speaks against it, in sentences.
import type { Report } from '../decision/index.ts';
import type { ExperimentState } from './experiment-state.ts';

/** Checks that a ship waits for but a wider coverage need not: they only ask for more time. */
const patient: readonly string[] = ['minDuration', 'maturity', 'peeking', 'wholeWeeks'];

/** The next step of the file's ramp; undefined at its end, or without one. */
export function nextStep({
  experiment,
  coverage,
}: Pick<ExperimentState, 'experiment' | 'coverage'>): number | undefined {
  return experiment.ramp?.coverage.find((step) => step > coverage);
}

/** Everything in the report that a wider coverage has to wait for; empty when nothing is. */
export function rampObstacles({ verdict, checks, criteria, variants }: Report): readonly string[] {
  const obstacles: string[] = [];
  if (verdict.kind === 'roll-back' || verdict.kind === 'invalid')
    obstacles.push(`the verdict is ${verdict.kind}: ${verdict.reasons[0]?.text ?? ''}`.trim());
  for (const [name, check] of Object.entries(checks)) {
    const holdsBack = name === 'sampleRatio' || check.blocks === true;
    if (!check.ok && holdsBack && !patient.includes(name)) obstacles.push(check.text);
  }
  for (const { role, text, variant, outcome, estimate, probability } of criteria) {
    if (role !== 'guardrail') continue;
    if (outcome === 'not-met') obstacles.push(`guardrail ${text} is broken for ${variant}`);
    else if (typeof estimate !== 'number') obstacles.push(`nothing is known of guardrail ${text} for ${variant}`);
    else if (typeof probability === 'number' && probability < 0.5)
      obstacles.push(`the estimate of guardrail ${text} is on the wrong side for ${variant}`);
  }
  for (const { name, requests, expectedShare } of variants)
    if (expectedShare > 0 && requests === 0) obstacles.push(`${name} has had no request yet`);
  return [...new Set(obstacles)];
}
