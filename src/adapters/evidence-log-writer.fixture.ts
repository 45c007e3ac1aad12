// A program that writes outcomes as fast as it can and prints each id once its record is durable; its test kills it.
import { openEvidenceLog } from './file-evidence-log.ts';

const [directory = '.', maxSegmentBytes = '67108864'] = process.argv.slice(2);
const log = await openEvidenceLog({
  directory,
  now: Date.now,
  maxSegmentBytes: Number(maxSegmentBytes),
  recoverMs: 50,
  observer: { count: () => undefined, fault: () => undefined },
});
// With a limit on file size the kernel must answer EFBIG instead of ending the process.
process.on('SIGXFSZ', () => undefined);

let next = 0;
const worker = async (): Promise<never> => {
  for (;;) {
    const id = `${process.pid}-${next}`;
    next += 1;
    try {
      await log.appendDurable([
        {
          kind: 'outcome',
          id,
          timeMs: 0,
          receivedMs: 0,
          namespace: 'default',
          type: 'label',
          value: 1,
          subject: { kind: 'prediction', predictionId: id },
          attributes: { filler: 'x'.repeat(next % 300) },
        },
      ]);
      process.stdout.write(`${id}\n`);
    } catch {
      process.stdout.write(`refused ${id}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
};
for (let count = 0; count < 16; count += 1) void worker();
