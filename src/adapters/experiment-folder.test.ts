import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AssayError } from '../errors.ts';
import { type ExperimentFileEvent, type ExperimentWatch, watchExperiments } from './experiment-folder.ts';

const text = (name: string, weight: number | string = 1): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  route: {path: /${name}}
  unit: request
  control: a
  variants:
    - {name: a, weight: ${weight}, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:2"}}
`;

describe('watchExperiments', () => {
  let folder: string;
  let events: string[];
  let watches: ExperimentWatch[];
  const file = (name: string): string => join(folder, name);
  const note = (event: ExperimentFileEvent): void => {
    const { kind, file: path } = event;
    const name = path.slice(folder.length + 1) || '.';
    if (kind === 'parsed')
      events.push(`${name} ${event.experiments.map((each) => `${each.name}:${each.variants[0]!.weight}`).join(' ')}`);
    else events.push(kind === 'removed' ? `${name} removed` : `${name} ${event.error.code}`);
  };
  const start = async (
    path = folder,
    options: { pollMs?: number; settleMs?: number; onEvent?: (event: ExperimentFileEvent) => void } = {},
  ): Promise<ExperimentWatch> => {
    const watch = await watchExperiments({ path, onEvent: note, pollMs: 60_000, settleMs: 60_000, ...options });
    watches.push(watch);
    return watch;
  };
  const waitFor = async (count: number): Promise<void> => {
    for (const end = Date.now() + 5000; events.length < count && Date.now() < end; )
      await new Promise((resolve) => setTimeout(resolve, 10));
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-folder-'));
    events = [];
    watches = [];
  });
  afterEach(async () => {
    await Promise.all(watches.map((watch) => watch.close()));
    await rm(folder, { recursive: true, force: true });
  });

  test('the files of a folder are reported by name before the watch stands, other files are left alone', async () => {
    await writeFile(file('b.yml'), text('two'));
    await writeFile(file('a.yaml'), text('one'));
    await writeFile(file('c.json'), JSON.stringify({ apiVersion: 'x' }));
    await writeFile(file('.hidden.yaml'), 'x');
    await writeFile(file('notes.txt'), 'x');
    await mkdir(file('folder.yaml'));
    await start();
    expect(events).toEqual(['a.yaml one:1', 'b.yml two:1', 'c.json experiment-invalid']);
  });

  test('a broken edit is refused once and a mended one is taken; an edit that says the same is not reported', async () => {
    await writeFile(file('a.yaml'), text('one'));
    const watch = await start();
    await writeFile(file('a.yaml'), text('one', -3));
    await watch.refresh();
    await watch.refresh();
    await writeFile(file('a.yaml'), text('one', 5));
    await watch.refresh();
    await writeFile(file('a.yaml'), text('one', 5));
    await watch.refresh();
    expect(events).toEqual(['a.yaml one:1', 'a.yaml experiment-invalid', 'a.yaml one:5']);
  });

  test('changes are noticed without being asked, by the system or by looking', async () => {
    await writeFile(file('a.yaml'), text('one'));
    await start(folder, { settleMs: 10 });
    await writeFile(file('a.yaml'), text('one', 2));
    await waitFor(2);
    expect(events).toEqual(['a.yaml one:1', 'a.yaml one:2']);
    await Promise.all(watches.map((watch) => watch.close()));
    events = [];
    await start(folder, { pollMs: 20 });
    await writeFile(file('a.yaml'), text('one', 3));
    await waitFor(2);
    expect(events).toEqual(['a.yaml one:2', 'a.yaml one:3']);
  });

  test('new and removed files are reported', async () => {
    const watch = await start();
    await writeFile(file('a.yaml'), text('one'));
    await watch.refresh();
    await rm(file('a.yaml'));
    await watch.refresh();
    await writeFile(file('a.yaml'), text('one'));
    await watch.refresh();
    expect(events).toEqual(['a.yaml one:1', 'a.yaml removed', 'a.yaml one:1']);
  });

  test('one file is watched through replacement by a rename, and its removal is told', async () => {
    await writeFile(file('a.yaml'), text('one'));
    const watch = await start(file('a.yaml'), { settleMs: 10 });
    await writeFile(file('a.yaml.tmp'), text('one', 2));
    await rename(file('a.yaml.tmp'), file('a.yaml'));
    await waitFor(2);
    await rm(file('a.yaml'));
    await watch.refresh();
    expect(events).toEqual(['a.yaml one:1', 'a.yaml one:2', 'a.yaml removed']);
  });

  test('a swapped symbolic link, as Kubernetes mounts a ConfigMap, is a change', async () => {
    for (const [version, weight] of [
      ['v1', 1],
      ['v2', 2],
    ] as const) {
      await mkdir(file(`..${version}`));
      await writeFile(file(`..${version}/a.yaml`), text('one', weight));
    }
    await symlink('..v1', file('..data'));
    await symlink('..data/a.yaml', file('a.yaml'));
    const watch = await start();
    await symlink('..v2', file('..new'));
    await rename(file('..new'), file('..data'));
    await watch.refresh();
    expect(events).toEqual(['a.yaml one:1', 'a.yaml one:2']);
  });

  test('an experiment that stands in two files is refused in the second until the first lets go', async () => {
    await writeFile(file('a.yaml'), text('one', 1));
    await writeFile(file('b.yaml'), text('one', 2));
    const watch = await start();
    expect(events).toEqual(['a.yaml one:1', 'b.yaml experiment-exists']);
    await writeFile(file('a.yaml'), text('other'));
    await watch.refresh();
    await watch.refresh();
    expect(events.slice(2)).toEqual(['a.yaml other:1', 'b.yaml one:2']);
  });

  test('what the listener throws for a good file comes back as a refusal', async () => {
    await writeFile(file('a.yaml'), text('one'));
    await start(folder, {
      onEvent: (event) => {
        if (event.kind === 'parsed') throw new AssayError('experiment-exists', 'the route is taken');
        note(event);
      },
    });
    expect(events).toEqual(['a.yaml experiment-exists']);
  });

  test('a dangling link and a huge file are refused, the rest is read', async () => {
    await symlink('nowhere', file('a.yaml'));
    await writeFile(file('b.yaml'), 'x'.repeat(2_000_000));
    await writeFile(file('c.yaml'), text('one'));
    await start();
    expect(events).toEqual(['a.yaml file-unreadable', 'b.yaml experiment-invalid', 'c.yaml one:1']);
  });

  test('a path that is not there is refused at the start', async () => {
    await expect(start(file('none'))).rejects.toMatchObject({ code: 'file-unreadable' });
  });
});
