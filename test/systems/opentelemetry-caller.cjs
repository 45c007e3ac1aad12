// Asks the gateway as a program traced with the real JavaScript SDK: one span of its own around each request, the request's own
// span and its traceparent by the instrumentation of node:http. Arguments: address, prefix of the users, how many.
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { trace } = require('@opentelemetry/api');

const sdk = new NodeSDK({ instrumentations: [new HttpInstrumentation()] });
sdk.start();
const http = require('node:http');

const ask = (url, user) =>
  new Promise((resolve, reject) => {
    const headers = { 'x-user-id': user, 'content-type': 'application/json' };
    const request = http.request(url, { method: 'POST', headers }, (reply) => {
      reply.resume();
      reply.once('end', () =>
        reply.statusCode === 200 ? resolve() : reject(new Error(`answered ${reply.statusCode}`)),
      );
    });
    request.once('error', reject);
    request.end('{}');
  });

(async () => {
  const [url, prefix, count] = process.argv.slice(2);
  for (let each = 0; each < Number(count); each += 1) {
    await trace.getTracer('shop').startActiveSpan('checkout', async (span) => {
      await ask(url, `${prefix}-${each}`);
      span.end();
    });
  }
  await sdk.shutdown();
})();
