// Behind the node front and with the upstream that goes with it, the gateway behaves as behind the fast one: its own tests, once more.
import { afterAll } from 'vitest';

process.env.ASSAY_TEST_FRONT = 'node';
afterAll(() => {
  delete process.env.ASSAY_TEST_FRONT;
});

const files = [
  ...[
    'batches',
    'ejection',
    'failures',
    'openai',
    'overload',
    'protocols',
    'retries',
    'routing',
    'seldon',
    'streaming',
  ].map((what) => `gateway-${what}`),
  'mirror',
];
// With a query it is another module to the loader: the file declares its tests again, also where it was loaded before.
for (const name of files) await import(`./${name}.test.ts?on=node`);
