// How does late truth reach Assay? As outcomes over the real API, each posted when the replay clock says it is known.
import { setTimeout as sleep } from 'node:timers/promises';
import { paths } from '../../api/index.ts';
import { AssayError } from '../../errors.ts';

/** One report of what happened, and the moment it becomes known. */
interface Truth {
  /** The reporter's id; the same id twice counts once. */
  readonly id: string;
  readonly predictionId: string;
  readonly value: 0 | 1;
  /** When it happened, on the replay clock, epoch milliseconds. */
  readonly timeMs: number;
  /** When it is posted, epoch milliseconds; not before `timeMs`. */
  readonly postAtMs: number;
}

/** Posts truths when they are due. */
export interface TruthFeed {
  add(truth: Truth): void;
  /**
   * Resolves with the number of posted reports once every truth is posted and acknowledged.
   * @throws AssayError when the API refuses or stays away.
   */
  finish(): Promise<number>;
  /** Drops what is not posted yet. */
  abandon(): void;
}

const tickMs = 20;
const batchSize = 500;
const attempts = 5;

/** Starts a feed to the API at `apiUrl`. */
export function createTruthFeed(apiUrl: string): TruthFeed {
  let waiting: Truth[] = [];
  let isOpen = true;
  let posted = 0;

  const run = async (): Promise<void> => {
    while (isOpen || waiting.length > 0) {
      const now = Date.now();
      const due = waiting.filter(({ postAtMs }) => postAtMs <= now).slice(0, batchSize);
      if (due.length === 0) {
        await sleep(tickMs);
        continue;
      }
      const taken = new Set(due);
      waiting = waiting.filter((truth) => !taken.has(truth));
      await post(apiUrl, due);
      posted += due.length;
    }
  };
  const running = run();
  // The fault is told by finish(); until then it must not bring the process down.
  running.catch(() => {});

  return {
    add: (truth) => {
      waiting.push(truth);
    },
    finish: async () => {
      isOpen = false;
      await running;
      return posted;
    },
    abandon: () => {
      isOpen = false;
      waiting = [];
    },
  };
}

/** Posts once, and again when the API says that the same call may succeed later: the ids make that harmless. */
async function post(apiUrl: string, truths: readonly Truth[]): Promise<void> {
  const body = JSON.stringify(
    truths.map(({ id, predictionId, value, timeMs }) => ({ id, type: 'label', value, time: timeMs, predictionId })),
  );
  for (let attempt = 1; ; attempt++) {
    let refusal: string;
    try {
      const reply = await fetch(`${apiUrl}${paths.outcomes}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      const text = await reply.text();
      if (reply.ok) return;
      refusal = `${reply.status} ${text.slice(0, 300)}`;
      if (reply.status < 500)
        throw new AssayError('outcome-invalid', `the API refused ${truths.length} outcomes: ${refusal}`);
    } catch (cause) {
      if (cause instanceof AssayError) throw cause;
      refusal = String(cause);
    }
    if (attempt === attempts) {
      throw new AssayError(
        'server-unreachable',
        `the API at ${apiUrl} took no outcomes in ${attempts} attempts: ${refusal}`,
      );
    }
    await sleep(100 * attempt);
  }
}
