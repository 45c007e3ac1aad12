// The form: fields that read and write places of the file, each with the faults of its place.
import { type JSX, useId } from 'react';
import { type Document, isMap } from 'yaml';
import type { ValidateAnswer } from '../../../src/api/index.ts';
import { type DocumentPath, keysAt, listAt, textAt, withChange, withEdit } from './experiment-document.ts';
import { ProbeButton } from './probe-button.tsx';

/** What every part of the form needs. */
interface FormProps {
  readonly document: Document;
  readonly text: string;
  readonly onChange: (text: string) => void;
  readonly faults: ValidateAnswer['faults'];
}

const protocols = ['json', 'oip', 'mlflow', 'tensorflow', 'openai'] as const;
const routeKinds = ['model', 'path', 'host'] as const;
const unitKinds = ['header', 'cookie', 'query'] as const;
const metricKinds = ['mean', 'proportion', 'quantile', 'rmse', 'mae'] as const;

/** The whole form. */
export function ExperimentForm(props: FormProps): JSX.Element {
  return (
    <form onSubmit={(event) => event.preventDefault()} aria-label="Experiment">
      <fieldset>
        <legend>1 Route and variants</legend>
        <div className="row">
          <Field {...props} label="Name" path={['metadata', 'name']} />
          <Keyed {...props} label="Which requests" path={['spec', 'route']} kinds={routeKinds} />
        </div>
        <Field {...props} label="Hypothesis" path={['spec', 'hypothesis']} isWide />
        <Variants {...props} />
      </fieldset>
      <fieldset>
        <legend>2 Unit and split</legend>
        <Keyed {...props} label="Who must always see the same model" path={['spec', 'unit']} kinds={unitKinds} />
        <p className="small quiet">
          A stable id of the user or session. Requests without it are answered by the control and not analysed.
        </p>
      </fieldset>
      <fieldset>
        <legend>3 Metrics</legend>
        <Metrics {...props} />
      </fieldset>
      <fieldset>
        <legend>4 Decision</legend>
        <Lines {...props} label="Ship when all of these hold (one a line)" path={['spec', 'decision', 'primary']} />
        <Lines {...props} label="Guardrails: roll back when one breaks" path={['spec', 'decision', 'guardrails']} />
        <p className="small quiet">
          <code>latency - control.latency &lt; 5</code>: at most 5 ms slower. <code>error_rate &lt; 0.02</code>: below 2
          %.
        </p>
        <Choice
          {...props}
          label="On a breach"
          path={['spec', 'decision', 'onBreach']}
          values={['roll-back', 'pause', 'notify']}
        />
      </fieldset>
      <fieldset>
        <legend>5 Length</legend>
        <div className="row">
          <Field
            {...props}
            label="At least"
            path={['spec', 'decision', 'minDuration']}
            hint="such as 7d; whole weeks see every weekday"
          />
          <Field {...props} label="At most" path={['spec', 'decision', 'maxDuration']} hint="such as 28d" />
          <Field {...props} label="Requests a day" path={['spec', 'plan', 'requestsPerDay']} inputMode="numeric" />
        </div>
      </fieldset>
    </form>
  );
}

/** How the API names a place. */
function placeOf(path: DocumentPath): string {
  return path.reduce<string>(
    (place, part) => (typeof part === 'number' ? `${place}[${part}]` : place === '' ? part : `${place}.${part}`),
    '',
  );
}

function Faults({
  faults,
  path,
  id,
}: {
  readonly faults: FormProps['faults'];
  readonly path: DocumentPath;
  readonly id: string;
}): JSX.Element | null {
  const place = placeOf(path);
  const own = faults.filter(
    (fault) => fault.place === place || fault.place.startsWith(`${place}.`) || fault.place.startsWith(`${place}[`),
  );
  if (own.length === 0) return null;
  return (
    <span id={id} className="field-fault" data-place={place}>
      {own.map(({ text }) => text).join(' ')}
    </span>
  );
}

const hasFault = (faults: FormProps['faults'], path: DocumentPath): boolean => {
  const place = placeOf(path);
  return faults.some(
    (fault) => fault.place === place || fault.place.startsWith(`${place}.`) || fault.place.startsWith(`${place}[`),
  );
};

interface FieldProps extends FormProps {
  readonly label: string;
  readonly path: DocumentPath;
  readonly hint?: string;
  readonly isWide?: boolean;
  readonly inputMode?: 'numeric' | 'text';
}

function Field(props: FieldProps): JSX.Element {
  const { document, text, onChange, faults, label, path, hint, isWide, inputMode = 'text' } = props;
  const id = useId();
  return (
    <label className={`field${isWide === true ? ' grow' : ''}`}>
      {label}
      <input
        name={placeOf(path)}
        value={textAt(document, path)}
        inputMode={inputMode}
        aria-invalid={hasFault(faults, path)}
        aria-describedby={id}
        onChange={(event) => onChange(withChange(text, path, event.target.value))}
        spellCheck={false}
      />
      {hint !== undefined && <span className="small quiet">{hint}</span>}
      <Faults faults={faults} path={path} id={id} />
    </label>
  );
}

/** A place that is a map with one of several keys, such as `{model: forecast}` or `{path: /score}`. */
function Keyed(
  props: FormProps & { readonly label: string; readonly path: DocumentPath; readonly kinds: readonly string[] },
): JSX.Element {
  const { document, text, onChange, faults, label, path, kinds } = props;
  const id = useId();
  const kind = kinds.find((each) => document.hasIn([...path, each])) ?? kinds[0]!;
  const value = textAt(document, [...path, kind]);
  const change = (nextKind: string, nextValue: string): void =>
    onChange(
      withEdit(text, (edited) => {
        for (const each of kinds) if (each !== nextKind) edited.deleteIn([...path, each]);
        edited.setIn([...path, nextKind], nextValue);
      }),
    );
  return (
    <div className="field">
      <span id={`${id}-label`}>{label}</span>
      <span className="row">
        <select aria-label={`${label}: kind`} value={kind} onChange={(event) => change(event.target.value, value)}>
          {kinds.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
        <input
          aria-labelledby={`${id}-label`}
          aria-describedby={id}
          aria-invalid={hasFault(faults, path)}
          name={placeOf([...path, kind])}
          value={value}
          onChange={(event) => change(kind, event.target.value)}
          spellCheck={false}
        />
      </span>
      <Faults faults={faults} path={path} id={id} />
    </div>
  );
}

function Choice(props: FieldProps & { readonly values: readonly string[] }): JSX.Element {
  const { document, text, onChange, label, path, values } = props;
  return (
    <label className="field">
      {label}
      <select
        value={textAt(document, path) || values[0]}
        onChange={(event) => onChange(withChange(text, path, event.target.value))}
      >
        {values.map((value) => (
          <option key={value}>{value}</option>
        ))}
      </select>
    </label>
  );
}

function Lines(props: FieldProps): JSX.Element {
  const { document, text, onChange, faults, label, path } = props;
  const id = useId();
  const lines = listAt(document, path);
  const change = (value: string): void => {
    const next = value.split('\n');
    onChange(withChange(text, path, next.every((line) => line.trim() === '') ? undefined : next));
  };
  return (
    <label className="field">
      {label}
      <textarea
        className="mono"
        name={placeOf(path)}
        rows={Math.max(2, lines.length)}
        value={lines.join('\n')}
        aria-invalid={hasFault(faults, path)}
        aria-describedby={id}
        spellCheck={false}
        onChange={(event) => change(event.target.value)}
      />
      <Faults faults={faults} path={path} id={id} />
    </label>
  );
}

function Variants(props: FormProps): JSX.Element {
  const { document, text, onChange, faults } = props;
  const path = ['spec', 'variants'] as const;
  const places = keysAt(document, path);
  const control = textAt(document, ['spec', 'control']);
  const add = (): void =>
    onChange(
      withEdit(text, (edited) => {
        const node = edited.createNode({
          name: `candidate-${places.length}`,
          weight: 10,
          upstream: { url: `http://127.0.0.1:${9001 + places.length}`, protocol: 'json' },
        });
        if (isMap(node)) node.flow = true;
        edited.addIn(path, node);
      }),
    );
  return (
    <>
      {places.map((place) => {
        const own = [...path, place];
        const name = textAt(document, [...own, 'name']);
        return (
          <div key={place} className="variant">
            <div className="variant-row">
              <Field {...props} label={name === control ? 'Variant (control)' : 'Variant'} path={[...own, 'name']} />
              <Field {...props} label="Weight" path={[...own, 'weight']} inputMode="numeric" />
              <Field {...props} label="Address" path={[...own, 'upstream', 'url']} />
              <Choice {...props} label="Protocol" path={[...own, 'upstream', 'protocol']} values={protocols} />
            </div>
            <div className="row">
              <ProbeButton url={textAt(document, [...own, 'upstream', 'url'])} />
              {name !== control && (
                <button
                  type="button"
                  className="small"
                  onClick={() => onChange(withChange(text, ['spec', 'control'], name))}
                >
                  Make it the control
                </button>
              )}
              {places.length > 2 && name !== control && (
                <button
                  type="button"
                  className="small"
                  onClick={() => onChange(withEdit(text, (edited) => edited.deleteIn(own)))}
                >
                  Remove
                </button>
              )}
            </div>
          </div>
        );
      })}
      <div>
        <button type="button" className="small" onClick={add}>
          Add a variant
        </button>
      </div>
      <Faults
        faults={faults.filter((fault) => fault.place === 'spec.variants' || fault.place === 'spec.control')}
        path={['spec']}
        id="variants-faults"
      />
    </>
  );
}

function Metrics(props: FormProps): JSX.Element {
  const { document, text, onChange, faults } = props;
  const path = ['spec', 'metrics'] as const;
  const names = keysAt(document, path);
  const add = (): void =>
    onChange(
      withEdit(text, (edited) => {
        const node = edited.createNode({ mean: 'prediction == outcome.label', window: '24h' });
        if (isMap(node)) node.flow = true;
        edited.setIn([...path, `metric_${names.length + 1}`], node);
      }),
    );
  return (
    <>
      {names.map((name) => {
        const own = [...path, name];
        const kind = metricKinds.find((each) => document.hasIn([...own, each]));
        return (
          <div key={name} className="variant-row">
            <span className="field">
              Metric
              <strong>{name}</strong>
            </span>
            {kind === undefined ? (
              <span className="quiet small">a kind for which there is no field here: edit it in the file</span>
            ) : (
              <>
                <span className="field">
                  Kind
                  <strong>{kind}</strong>
                </span>
                <Field {...props} label="Of" path={[...own, kind]} />
                <Field {...props} label="Window" path={[...own, 'window']} />
              </>
            )}
            {names.length > 1 && (
              <button
                type="button"
                className="small"
                onClick={() => onChange(withEdit(text, (edited) => edited.deleteIn(own)))}
              >
                Remove<span className="spoken"> {name}</span>
              </button>
            )}
            <Faults faults={faults} path={own} id={`metric-${name}`} />
          </div>
        );
      })}
      <div>
        <button type="button" className="small" onClick={add}>
          Add a metric
        </button>
      </div>
    </>
  );
}
