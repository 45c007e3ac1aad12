// Which database does an address name? Its engine, loaded only where one is asked for.
import { AssayError } from '../errors.ts';
import type { AnalyticsEngine } from './engine-analytics.ts';

/** A database for reports. */
export interface EngineSettings {
  /** `postgres://USER@HOST:PORT/DATABASE`, `clickhouse://USER@HOST:PORT/DATABASE`, or `clickhouses://` over HTTPS. */
  readonly url: string;
  readonly password?: string;
}

/** The settings in order. @throws AssayError `usage-invalid` for an address that names no database we know, or holds a password. */
export function checkEngineSettings(settings: EngineSettings): EngineSettings {
  const url = URL.canParse(settings.url) ? new URL(settings.url) : undefined;
  if (
    url === undefined ||
    !/^(?:postgres|postgresql|clickhouse|clickhouses):$/.test(url.protocol) ||
    url.hostname === ''
  )
    throw new AssayError(
      'usage-invalid',
      `--analytics is "${settings.url.replace(/:[^:@/]*@/, ':***@')}", must be clickhouse://USER@HOST:8123/DATABASE or postgres://USER@HOST:5432/DATABASE`,
    );
  if (url.password !== '')
    throw new AssayError('usage-invalid', '--analytics holds a password, which other users of the machine could read', {
      fix: 'Set ASSAY_ANALYTICS_PASSWORD, or ASSAY_ANALYTICS_PASSWORD_FILE to a file that holds it.',
    });
  return settings;
}

/** The engine; it connects at the first need. */
export async function openEngine(settings: EngineSettings): Promise<AnalyticsEngine> {
  const { password } = checkEngineSettings(settings);
  const { protocol } = new URL(settings.url);
  const secret = password === undefined ? {} : { password };
  if (protocol.startsWith('postgres')) {
    const { createPostgresEngine } = await import('./postgres-analytics.ts');
    return createPostgresEngine({ url: settings.url, ...secret });
  }
  const { createClickhouseEngine } = await import('./clickhouse-analytics.ts');
  return createClickhouseEngine({ url: settings.url.replace(/^clickhouse/, 'http'), ...secret });
}
