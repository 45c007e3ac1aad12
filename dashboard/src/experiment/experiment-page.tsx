// One experiment, in the order of the questions: is it valid, what is decided, is it hurting, what is the effect, what is it worth.
import { type JSX, useCallback, useEffect, useMemo, useState } from 'react';
import { Link } from 'wouter';
import type { OverviewAnswer } from '../../../src/api/index.ts';
import { durationText } from '../../../src/decision/index.ts';
import { Answered, Boundary } from '../parts/fault-box.tsx';
import { Time } from '../parts/time.tsx';
import { ValueSource } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { useView } from '../query-string.ts';
import { type ExperimentKey, overviewPath } from '../server/page-paths.ts';
import { useOverview } from '../server/questions.ts';
import { useKeys } from '../shell/keys.ts';
import { Actions } from './actions.tsx';
import { AuditSection } from './audit-section.tsx';
import { ConfigSection } from './config-section.tsx';
import { ExperimentProvider, useExperiment, useVariantPlace, viewShape } from './experiment-context.tsx';
import { HealthSection } from './health-section.tsx';
import { LatencySection } from './latency-section.tsx';
import { MetricsSection } from './metrics-section.tsx';
import { NowSection } from './now-section.tsx';
import { OverTimeSection } from './over-time-section.tsx';
import { SectionNav } from './section-nav.tsx';
import { SegmentsSection } from './segments-section.tsx';
import { ServedSection } from './served-section.tsx';
import { SplitSection } from './split-section.tsx';
import { TruthSection } from './truth-section.tsx';
import { ValueSection } from './value-section.tsx';
import { VerdictBanner } from './verdict-banner.tsx';

/** The page of one experiment. */
export default function ExperimentPage({ namespace, name }: ExperimentKey): JSX.Element {
  const { view, strange, setView } = useView(viewShape);
  const key = useMemo(() => ({ namespace, name }), [namespace, name]);
  const overview = useOverview(key, view.at);
  const [isShownAnyway, setShownAnyway] = useState(false);
  const showAnyway = useCallback(() => setShownAnyway(true), []);
  useEffect(() => {
    document.title = `${name} - Assay`;
  }, [name]);
  const keys = useMemo(() => {
    const { method, view: form } = viewShape;
    const next = <T extends string>(values: readonly T[], now: T): T =>
      values[(values.indexOf(now) + 1) % values.length] ?? now;
    return {
      m: () => setView({ method: next(method, view.method) }),
      a: () => setView({ view: next(form, view.view) }),
    };
  }, [view, setView]);
  useKeys(keys);
  return (
    <Answered question={overview}>
      {(answer) => {
        const isInvalid = answer.report.verdict.kind === 'invalid';
        return (
          <ExperimentProvider
            value={{
              key,
              answer,
              view,
              setView,
              isWithheld: isInvalid && !isShownAnyway,
              isMarkedInvalid: isInvalid,
              showAnyway,
            }}
          >
            <ValueSource answer={answer} from={overviewPath(key, view.at)}>
              {strange.length > 0 && <p className="quiet small">Not understood and left out: {strange.join(', ')}</p>}
              <Sections />
            </ValueSource>
          </ExperimentProvider>
        );
      }}
    </Answered>
  );
}

const sections: readonly (readonly [string, string, () => JSX.Element | null])[] = [
  ['health', 'Health', HealthSection],
  ['metrics', 'Metrics', MetricsSection],
  ['value', 'Value', ValueSection],
  ['over-time', 'Over time', OverTimeSection],
  ['split', 'Split', SplitSection],
  ['latency', 'Latency', LatencySection],
  ['truth', 'Truth', TruthSection],
  ['segments', 'Segments', SegmentsSection],
  ['served', 'Served', ServedSection],
  ['config', 'Config', ConfigSection],
  ['audit', 'Audit', AuditSection],
];
const sectionLinks = [
  ['verdict', 'Verdict'] as const,
  ['now', 'Now'] as const,
  ...sections.map(([id, title]) => [id, title] as const),
];

function Sections(): JSX.Element {
  const { answer } = useExperiment();
  return (
    <>
      <PageHead answer={answer} />
      <VerdictBanner />
      <Boundary>
        <NowSection />
      </Boundary>
      <SectionNav links={sectionLinks} />
      {sections.map(([id, , Section]) => (
        <Boundary key={id}>
          <Section />
        </Boundary>
      ))}
    </>
  );
}

function PageHead({ answer }: { readonly answer: OverviewAnswer }): JSX.Element {
  const { setView } = useExperiment();
  const placeOf = useVariantPlace();
  const { experiment, report, at } = answer;
  const { specification } = experiment;
  const startedMs = experiment.startedAt === undefined ? undefined : Date.parse(experiment.startedAt);
  const endMs = Date.parse(experiment.endedAt ?? answer.asOf);
  return (
    <>
      {at !== undefined && (
        <div className="card row">
          <strong>
            As it was at <Time at={at} />
          </strong>
          <span className="quiet">Steps are switched off while the past is shown.</span>
          <button type="button" className="push" onClick={() => setView({ at: undefined })}>
            Back to now
          </button>
        </div>
      )}
      <div className="row">
        <div>
          <p className="small">
            <Link href="/">Experiments</Link>
          </p>
          <h1>{experiment.name}</h1>
        </div>
        <div className="page-steps">
          <Actions />
        </div>
      </div>
      <p className="row small">
        <strong>{experiment.state}</strong>
        {experiment.state === 'running' && experiment.coverage < 1 && (
          <span>{Math.round(experiment.coverage * 100)} % of units take part</span>
        )}
        <span className="quiet">
          revision {experiment.revision} · epoch {experiment.epoch}
        </span>
        {specification.variants.map(({ name }) => (
          <span key={name}>
            <VariantName name={name} place={placeOf(name)} />
            {name === report.control && <span className="quiet"> (control)</span>}
          </span>
        ))}
        {/* Last, because it grows: nothing stands behind it. */}
        {startedMs !== undefined && (
          <span>
            since <Time at={startedMs} />, {durationText(endMs - startedMs)}
          </span>
        )}
      </p>
      {specification.hypothesis !== '' && <p className="quiet">Hypothesis: {specification.hypothesis}</p>}
      {experiment.drift.length > 0 && (
        <p className="small quiet">File and present state differ: {experiment.drift.join('; ')}.</p>
      )}
    </>
  );
}
