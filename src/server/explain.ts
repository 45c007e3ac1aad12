// Why does this unit get this variant? Decides once more, in the open.
import type { ExplainAnswer } from '../api/index.ts';
import { decide, prepareAssignment } from '../assignment/index.ts';
import type { ExperimentService } from '../control/index.ts';
import { AssayError } from '../errors.ts';

const explanations: Readonly<Record<string, string>> = {
  split: 'its bucket lies in the range of that variant',
  'not-covered': 'its coverage bucket lies outside the share of units that take part',
  'held-out': 'it belongs to the holdout, which no experiment that names it may see',
  'other-experiment': 'its bucket of the layer belongs to another experiment, or to none',
  paused: 'the experiment does not run, so the control answers everybody',
  promoted: 'this variant was promoted and answers everybody',
  ended: 'the experiment has ended, so the control answers everybody',
};

/**
 * The decision about one unit and the reason for it.
 * @throws AssayError `experiment-unknown`, also for an experiment that is not routed at present.
 */
export function explain(
  service: ExperimentService,
  { name, namespace, unit }: { readonly name: string; readonly namespace: string; readonly unit: string },
): ExplainAnswer {
  service.get(name, namespace);
  const routed = service.snapshot().experiments.find((each) => each.name === name && each.namespace === namespace);
  if (routed === undefined)
    throw new AssayError(
      'experiment-unknown',
      `experiment "${name}" is not routed at present: another one owns its route`,
    );
  const { variant, reason, propensity, coverageBucket, splitBucket } = decide(prepareAssignment(routed), {
    unit,
    forced: null,
    random: () => 0,
  });
  const buckets =
    splitBucket === null ? '' : ` (coverage bucket ${coverageBucket}, split bucket ${splitBucket} of ${2 ** 32})`;
  return {
    experiment: name,
    variant,
    reason,
    propensity,
    text: `${unit} gets ${variant}: ${explanations[reason] ?? reason}${buckets}; share ${(propensity * 100).toFixed(2)} %`,
  };
}
