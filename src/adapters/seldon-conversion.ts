// How is a Seldon Experiment said in Assay's file, and how is an experiment of Assay said to Seldon?
import { AssayError } from '../errors.ts';
import type { Experiment } from '../experiment/index.ts';
import { type Converted, type SeldonExperiment, seldonResource } from './seldon-experiment.ts';
import { seldonWeights } from './seldon-weights.ts';

/** How an imported experiment shall be asked and split. */
export interface SeldonImportOptions {
  /** Address of the service `seldon-mesh`; requests go there with `seldon-model` set. */
  readonly meshUrl: string;
  /** Header that carries the unit id; undefined: every request is drawn anew, as Seldon does. */
  readonly unitHeader: string | undefined;
  readonly namespace: string;
}

/**
 * The experiment file that splits in Assay what Seldon would split: the models are asked one by one through the mesh.
 *
 * @throws AssayError `experiment-invalid` for what Assay has no form for: fewer than two models.
 */
export function fromSeldonExperiment(
  seldon: SeldonExperiment,
  { meshUrl, unitHeader, namespace }: SeldonImportOptions,
): Converted<Readonly<Record<string, unknown>>> {
  const warnings: string[] = [];
  const about = `experiment "${seldon.name}"`;
  const { candidates, mirror } = seldon;
  const [firstCandidate] = candidates;
  if (firstCandidate === undefined || candidates.length + (mirror === undefined ? 0 : 1) < 2)
    throw new AssayError(
      'experiment-invalid',
      `${about} has ${candidates.length} candidates and ${mirror === undefined ? 'no' : 'a'} mirror, must have a candidate and one model beside it`,
      { fix: 'An experiment here compares two models; keep a mirror without candidates in Seldon.' },
    );
  const suffix = seldon.resourceType === 'pipeline' ? '.pipeline' : '';
  const taken = new Set<string>();
  const variantName = (model: string): string => {
    const name = labelOf(model);
    if (name !== model) warnings.push(`${about}: model "${model}" becomes variant "${name}"`);
    if (taken.has(name))
      throw new AssayError('experiment-invalid', `${about}: two models become variant "${name}", must differ`);
    taken.add(name);
    return name;
  };
  const url = meshUrl.replace(/\/+$/, '');
  const variantOf = (model: string, weight: number) => ({
    name: variantName(model),
    weight,
    upstream: { url, ...(isRoot(url) ? { grpcUrl: url } : {}), protocol: 'oip', model },
    // Without it the mesh takes the model from the path, which gRPC and pipelines do not have.
    set: { headers: { 'seldon-model': `${model}${suffix}` } },
  });
  const variants = [...candidates, ...(mirror === undefined ? [] : [{ name: mirror.name, weight: 0 }])].map(
    ({ name, weight }) => variantOf(name, weight),
  );
  const nameHere = labelOf(seldon.name);
  if (nameHere !== seldon.name)
    warnings.push(`${about} becomes "${nameHere}"; callers of seldon-model: ${seldon.name}.experiment must follow`);
  const control = seldon.default ?? firstCandidate.name;
  if (seldon.default === undefined)
    warnings.push(`${about} names no default; its first candidate "${control}" is the control`);
  else
    warnings.push(
      `${about} splits the endpoint of "${seldon.default}" in Seldon too; delete it there before this one starts, or that model's share is split twice`,
    );
  if (unitHeader === undefined)
    warnings.push(
      `${about} draws every request anew, as in Seldon; a test of anything a person notices needs --unit-header`,
    );
  const largest = Math.max(...variants.map(({ weight }) => weight));
  const fits = largest <= 1_000_000;
  if (!fits) warnings.push(`${about} has weights above 1,000,000; they are scaled down`);
  const scaled = fits ? variants : variants.map((each) => ({ ...each, weight: scale(each.weight, largest) }));
  return {
    warnings,
    value: {
      apiVersion: 'assay.dev/v1alpha1',
      kind: 'Experiment',
      metadata: { name: nameHere, namespace },
      spec: {
        route: { model: seldon.default === undefined ? seldon.name : `${seldon.default}${suffix}` },
        unit: unitHeader === undefined ? 'request' : { header: unitHeader.toLowerCase(), orElse: 'control' },
        control: labelOf(control),
        variants: scaled,
        ...(mirror === undefined ? {} : { mirror: { variant: labelOf(mirror.name), share: mirror.percent / 100 } }),
      },
    },
  };
}

/**
 * The Seldon Experiment that splits like this file, by the model name of each variant, its own name where it has none. Coverage
 * below 1 is in the weights: who is not taken in gets the control. Warnings name what Seldon has no form for.
 */
export function toSeldonManifest(
  experiment: Experiment,
  { namespace }: { readonly namespace: string | undefined },
): Converted<Readonly<Record<string, unknown>>> {
  const { control, variants, mirror, coverage, route, unit } = experiment;
  const warnings: string[] = [];
  const modelOf = (name: string): string => seldonNameOf(variants.find((each) => each.name === name)!);
  const mirrored = mirror?.variant;
  const split = variants.filter(({ name, weight }) => !(name === mirrored && weight === 0));
  const sum = split.reduce((total, { weight }) => total + weight, 0);
  const weights =
    coverage === 1
      ? split.map(({ weight }) => weight)
      : seldonWeights(
          split.map(({ name, weight }) => (coverage * weight) / sum + (name === control ? 1 - coverage : 0)),
        );
  const pipeline = variants.every((each) => each.set?.headers?.['seldon-model']?.endsWith('.pipeline') === true);
  const isOwnEndpoint = route.kind === 'model' && route.model.replace(/\.pipeline$/, '') === modelOf(control);
  const percent = mirror === undefined ? 0 : Math.round(mirror.share * 100);
  if (unit.sources.some(({ kind }) => kind !== 'request'))
    warnings.push(
      'units: Seldon draws every request; a person may meet several models unless callers echo x-seldon-route',
    );
  if (coverage !== 1) warnings.push(`coverage ${coverage} is in the weights: the control has its share and the rest`);
  if (mirror !== undefined && percent !== mirror.share * 100)
    warnings.push(`mirror: Seldon counts whole percent, ${mirror.share} becomes ${percent} %`);
  if (!isOwnEndpoint)
    warnings.push(
      `route: Seldon splits only the endpoint of a model; callers must send seldon-model: ${experiment.name}.experiment`,
    );
  return {
    warnings,
    value: {
      apiVersion: seldonResource.apiVersion,
      kind: 'Experiment',
      metadata: { name: experiment.name, ...(namespace === undefined ? {} : { namespace }) },
      spec: {
        ...(isOwnEndpoint ? { default: modelOf(control) } : {}),
        ...(pipeline ? { resourceType: 'pipeline' } : {}),
        candidates: split.map(({ name }, index) => ({ name: modelOf(name), weight: weights[index]! })),
        ...(mirror === undefined ? {} : { mirror: { name: modelOf(mirror.variant), percent } }),
      },
    },
  };
}

/** Name of the model in Seldon that a variant stands for. */
export function seldonNameOf({ name, upstream }: Experiment['variants'][number]): string {
  return upstream.model ?? name;
}

const scale = (weight: number, largest: number): number =>
  weight === 0 ? 0 : Math.max(1, Math.round((weight / largest) * 1_000_000));

const isRoot = (url: string): boolean => URL.canParse(url) && new URL(url).pathname === '/';

/** A Kubernetes name as a variant's: dots become dashes. */
function labelOf(name: string): string {
  return name.replaceAll('.', '-').slice(0, 63).replace(/-+$/, '');
}
