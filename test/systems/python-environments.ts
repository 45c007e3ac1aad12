// Which Python packages do the rows of serving systems share? One environment of each kind, pinned, so that it is installed once.
import type { SystemsCache } from './cache.ts';

/** MLflow, MLServer and scikit-learn in one environment: what one of them pickles the others load. */
export const servingVersions = 'mlflow 3.17.2, mlserver 1.7.1 and mlserver-sklearn 1.7.1 from PyPI (about 900 MB)';

/** @returns the folder whose `bin/` holds python, mlflow and mlserver. */
export function installServing(cache: SystemsCache): Promise<string> {
  return cache.python('serving', ['mlflow==3.17.2', 'mlserver==1.7.1', 'mlserver-sklearn==1.7.1']);
}

/** What tells a Triton server and its client apart from others. */
export const tritonVersions = 'nvidia-pytriton 0.7.0 and tritonclient 2.73.0 from PyPI (about 450 MB)';

/** @returns the folder whose `bin/` holds python. */
export function installTriton(cache: SystemsCache): Promise<string> {
  return cache.python('triton', ['nvidia-pytriton==0.7.0', 'tritonclient[all]==2.73.0', 'scikit-learn==1.7.2']);
}

/** Small clients written by others. @returns the folder whose `bin/` holds python. */
export function installClients(cache: SystemsCache): Promise<string> {
  return cache.python('clients', [
    'openfeature-sdk==0.10.0',
    'openfeature-provider-ofrep==0.3.0',
    'cloudevents==2.2.0',
    'requests==2.34.2',
    'opentelemetry-sdk==1.45.2',
    'opentelemetry-exporter-otlp-proto-http==1.45.2',
    'opentelemetry-instrumentation-requests==0.66b2',
  ]);
}
