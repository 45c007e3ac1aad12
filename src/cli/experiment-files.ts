// Which experiment files a `-f` names: a file, or every YAML and JSON file of a folder.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AssayError } from '../errors.ts';

/**
 * Reads the texts of all files named.
 * @throws AssayError `file-unreadable` when a path is missing, unreadable or an empty folder.
 */
export async function readExperimentTexts(
  paths: readonly string[],
): Promise<readonly { file: string; text: string }[]> {
  const texts: { file: string; text: string }[] = [];
  for (const path of paths) {
    try {
      const files = (await stat(path)).isDirectory()
        ? (await readdir(path))
            .filter((name) => /\.(ya?ml|json)$/.test(name))
            .sort()
            .map((name) => join(path, name))
        : [path];
      if (files.length === 0)
        throw new AssayError('file-unreadable', `${path} holds no experiment file, must hold *.yaml, *.yml or *.json`);
      for (const file of files) texts.push({ file, text: await readFile(file, 'utf8') });
    } catch (cause) {
      if (cause instanceof AssayError) throw cause;
      throw new AssayError('file-unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
    }
  }
  return texts;
}
