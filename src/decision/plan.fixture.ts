// Small plans for the tests of this folder: two variants, one or two metrics, plenty of traffic.
import { type Experiment, parseExperimentFile } from '../experiment/index.ts';

/** An experiment of one mean and one rate; `decision` and `plan` are YAML flow mappings. */
export function planned(decision: string, plan = '{ requestsPerDay: 1000 }'): Experiment {
  return parseExperimentFile(`
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: { name: planned }
spec:
  route: { model: m }
  unit: { header: x-user-id }
  control: old
  variants:
    - { name: old, weight: 50, upstream: { url: "http://127.0.0.1:1", protocol: json } }
    - { name: new, weight: 50, upstream: { url: "http://127.0.0.1:2", protocol: json } }
  metrics:
    score: { mean: outcome.score }
    error_rate: { mean: failed }
  value: { unit: points, terms: { gain: { score: 10, per: 1 } } }
  decision: ${decision}
  plan: ${plan}
`);
}
