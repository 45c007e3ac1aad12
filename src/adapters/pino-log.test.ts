import { describe, expect, it } from 'vitest';
import { createOperatorLog, type OperatorEvent } from './pino-log.ts';

const fault: OperatorEvent = { name: 'fault', fields: { code: 'evidence-not-durable', lost: 3 } };

function lines(options: { format: 'text' | 'json'; level: 'info' | 'warn' }): string[] {
  const written: string[] = [];
  const tell = createOperatorLog({ ...options, write: (line) => written.push(line), now: () => 0 });
  tell('the file was read again', { name: 'file-read', fields: { file: 'scores.yaml' } });
  tell('3 records were lost', fault);
  return written;
}

describe('the log of a server', () => {
  it('says events as sentences with their time', () => {
    expect(lines({ format: 'text', level: 'info' })).toEqual([
      '1970-01-01T00:00:00.000Z the file was read again',
      '1970-01-01T00:00:00.000Z ERROR 3 records were lost',
    ]);
  });

  it('says the same events as one JSON object a line', () => {
    const [first, second] = lines({ format: 'json', level: 'info' }).map((line) => JSON.parse(line));
    expect(first).toEqual({
      level: 'info',
      time: '1970-01-01T00:00:00.000Z',
      service: 'assay',
      pid: process.pid,
      event: 'file-read',
      file: 'scores.yaml',
      msg: 'the file was read again',
    });
    expect(second).toMatchObject({ level: 'error', event: 'fault', code: 'evidence-not-durable', lost: 3 });
  });

  it('leaves out what matters less than was asked for', () => {
    for (const format of ['text', 'json'] as const) {
      const [only, ...others] = lines({ format, level: 'warn' });
      expect(only).toContain('3 records were lost');
      expect(others).toEqual([]);
    }
  });
});
