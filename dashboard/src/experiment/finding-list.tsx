// What else should a careful reader notice? Findings of the report, each where it belongs.
import type { JSX } from 'react';
import { useExperiment } from './experiment-context.tsx';

/** Findings by the section they belong to; those of checks stand with the checks. */
const places = {
  value: ['unit-slip', 'mixed-bases', 'base-mismatch', 'noise-unknown', 'point-rule-differs'],
  metrics: ['rare-events', 'several-candidates'],
  segments: ['simpson', 'rests-on-one-segment', 'effect-differs-by-segment', 'effect-changes-over-time'],
} as const;

/** Findings about the file, which a broken split does not touch. */
const aboutTheFile: readonly string[] = ['unit-slip', 'mixed-bases', 'base-mismatch'];

/** The findings of one section; of a broken split only those about the file. */
export function FindingList({ of }: { readonly of: keyof typeof places }): JSX.Element | null {
  const { answer, isWithheld } = useExperiment();
  const codes: readonly string[] = places[of];
  const found = answer.report.findings.filter(
    ({ code }) => codes.includes(code) && (!isWithheld || aboutTheFile.includes(code)),
  );
  if (found.length === 0) return null;
  return (
    <ul className="findings">
      {found.map(({ code, text }) => (
        <li key={code + text} data-code={code}>
          {text}
        </li>
      ))}
    </ul>
  );
}
