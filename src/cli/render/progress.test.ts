import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress, type ProgressStream } from './progress.ts';

function record(isTTY: boolean): { readonly stream: ProgressStream; readonly text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80, cursorTo: () => true, clearLine: () => true });
  return { stream: stream as unknown as ProgressStream, text: () => String(stream.read() ?? '') };
}

describe('createProgress', () => {
  it('writes one line every tenth where there is no terminal', () => {
    const { stream, text } = record(false);
    const progress = createProgress('requests', { total: 250, stream, unicode: true });
    for (let done = 1; done <= 250; done++) progress.update(done);
    progress.stop();
    const lines = text().trimEnd().split('\n');
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe('requests 25/250 (10 %)');
    expect(lines.at(-1)).toBe('requests 250/250 (100 %)');
  });

  it('draws a bar on a terminal', () => {
    const { stream, text } = record(true);
    const progress = createProgress('requests', { total: 10, stream, unicode: true });
    progress.update(10);
    progress.stop();
    progress.stop();
    expect(text()).toContain('10/10');
  });
});
