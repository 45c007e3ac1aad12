// Where do people outside read the report of an experiment?
import { paths } from '../api/index.ts';

/** Address of the report: below ASSAY_PUBLIC_URL where the environment has it, else below the API's own address. */
export function reportUrl(
  apiUrl: string,
  { name, namespace }: { readonly name: string; readonly namespace: string },
): string {
  const base = (process.env.ASSAY_PUBLIC_URL || apiUrl).replace(/\/+$/, '');
  return `${base}${paths.report(name)}${namespace === 'default' ? '' : `?namespace=${encodeURIComponent(namespace)}`}`;
}
