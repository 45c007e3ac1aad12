// What docs/errors.md must say: one row per code of the catalogue.
import { errorCatalogue } from '../src/errors.ts';

/** Gives the whole page. */
export function errorDocs(): string {
  const rows = Object.entries(errorCatalogue).map(
    ([code, { status, retryable, title, fix }]) =>
      `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${title} | ${fix} |`,
  );
  return `# Errors

Made from \`src/errors.ts\` by \`npx tsx scripts/make-error-docs.ts\`. The command line prints the code in brackets after the
message; the API answers with RFC 9457 problem+json carrying \`code\`, \`detail\`, \`fix\` and every single fault in \`issues\`.
"Retry" says whether the same call may succeed later without a change by the caller.

| code | HTTP | retry | what it means | what to do |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
