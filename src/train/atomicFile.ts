/** Files and folders that are either there completely or not at all, also after a kill or a power cut. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FtwtError } from '../errors.js';

export type FileContent = string | Uint8Array;

/** Marks what an interrupted write leaves behind; never read. */
const temporaryPrefix = '.incomplete-';

export function sha256(content: FileContent): string {
  return createHash('sha256').update(content).digest('hex');
}

/** `.incomplete-<random>` beside `path`: the same file system, so that a rename is atomic. */
export function temporaryName(path: string): string {
  return join(dirname(path), `${temporaryPrefix}${randomBytes(6).toString('hex')}`);
}

/** Writes a file and waits until it is on the disk. */
export async function writeDurably(path: string, content: FileContent): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Waits until the names in a folder are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Replaces or creates one file. */
export async function writeFileAtomically(path: string, content: FileContent): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await writeDurably(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Removes what interrupted writes have left in a folder. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(temporaryPrefix))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

/**
 * Creates a folder and proves that files can be written into it.
 * @throws FtwtError INVALID_ARGUMENT naming the folder and the reason
 */
export async function makeWritableFolder(path: string, what: string): Promise<void> {
  const probe = join(path, `${temporaryPrefix}probe-${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(path, { recursive: true });
    await (await open(probe, 'wx')).close();
    await rm(probe);
  } catch (cause) {
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `${what}: ${path} must be a folder that can be written to: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/**
 * Reads a file that must exist.
 * @param expectedBytes checked if given
 * @throws FtwtError CORRUPT_FILE naming the file and, for a wrong length, expected and actual bytes
 */
export async function readIntact(path: string, expectedBytes?: number): Promise<Buffer> {
  let content: Buffer;
  try {
    // A longer file is named as such before it is read into memory.
    const { size } = await stat(path);
    if (expectedBytes !== undefined && size !== expectedBytes) {
      throw new FtwtError(
        'CORRUPT_FILE',
        `${path} is damaged: expected ${expectedBytes} bytes, got ${size}`,
      );
    }
    content = await readFile(path);
  } catch (cause) {
    if (cause instanceof FtwtError) throw cause;
    throw new FtwtError('CORRUPT_FILE', `${path} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  return content;
}

/** @throws FtwtError CORRUPT_FILE unless the content has this checksum */
export function checkSha256(path: string, content: FileContent, expected: string): void {
  const actual = sha256(content);
  if (actual !== expected) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${path} is damaged: expected sha256 ${expected}, got ${actual}`,
    );
  }
}

/** @throws FtwtError CORRUPT_FILE naming the file */
export function parseJson(path: string, content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch (cause) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${path} is damaged: expected JSON, got ${content.length} bytes that are not: ${(cause as Error).message}`,
      { cause },
    );
  }
}
