// Behind the fast front and with the upstream that goes with it, the gateway behaves as behind the default one: its own tests, once more.
import { afterAll } from 'vitest';

process.env.ASSAY_TEST_FRONT = 'fast';
afterAll(() => {
  delete process.env.ASSAY_TEST_FRONT;
});

await import('./gateway-failures.test.ts');
await import('./gateway-routing.test.ts');
await import('./gateway-streaming.test.ts');
await import('./gateway-overload.test.ts');
