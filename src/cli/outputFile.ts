/** Files that a command is asked to write: checked before the work, written whole. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FtwtError } from '../errors.js';
import { writeFileAtomically, type FileContent } from '../train/atomicFile.js';

/** In place of a file: the terminal. */
const terminal = '-';

/** @throws FtwtError INVALID_ARGUMENT naming the option and the reason, unless the file can be written */
export async function checkOutput(option: string, path: string | undefined): Promise<void> {
  if (path === undefined || path === terminal) return;
  const folder = dirname(resolve(path));
  const reason = await access(folder, constants.W_OK).then(
    async () => ((await isFolder(path)) ? 'it is a folder' : undefined),
    ({ message }: Error) => message,
  );
  if (reason !== undefined) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${option}: ${path} must be a file that can be written: ${reason}`,
    );
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** @throws FtwtError INVALID_ARGUMENT naming the option and the reason */
export async function writeOutput(
  option: string,
  path: string,
  content: FileContent,
): Promise<void> {
  try {
    await writeFileAtomically(resolve(path), content);
  } catch (cause) {
    const { message } = cause as Error;
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${option}: ${path} must be a file that can be written: ${message}`,
      { cause },
    );
  }
}

/** @param path of `--json`: a file, `-` for the terminal, or undefined */
export async function writeJson(path: string | undefined, results: object): Promise<void> {
  if (path === undefined) return;
  const json = JSON.stringify(results, null, 2);
  if (path === terminal) console.log(json);
  else await writeOutput('--json', path, `${json}\n`);
}
