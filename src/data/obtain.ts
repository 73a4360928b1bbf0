/** Finds the files of a data set: in the cache, in system directories, or by fetching them into the cache. */
import { createHash } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { FtwtError } from '../errors.js';
import { withWorkDirectory } from './cache.js';
import type { OnProgress } from './types.js';

const unzip = promisify(gunzip);

/**
 * A file kept as `<name>.gz` (or, put there by hand, as `<name>`). Size and SHA-256 are those of the contents:
 * not every source compresses the same bytes in the same way.
 */
export interface DataFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** One way to fetch all files of a data set. */
export interface DataSource {
  /** What an error message calls it. */
  name: string;
  /** Puts `<name>.gz` for every file into `directory`, which is empty and on the cache's file system. */
  fetch(directory: string, files: readonly DataFile[], onProgress: OnProgress): Promise<void>;
}

/** What to find, and where. */
export interface ObtainRequest {
  /** For messages. */
  title: string;
  files: readonly DataFile[];
  /** Looked into first; what is fetched goes here. */
  cache: string;
  /** Looked into next, never written. */
  directories: readonly string[];
  /** Tried in this order, unless `offline`. */
  sources: readonly DataSource[];
  offline: boolean;
  /** What a user can do when all fails, one line each. */
  remedies: readonly string[];
  onProgress?: OnProgress;
}

/**
 * The verified contents of all files, by name. Files reach the cache by rename, each complete or not at all, so
 * processes may do this at the same time.
 * @throws FtwtError NOT_FOUND that lists every attempt with its reason, and the remedies
 */
export async function obtainFiles(request: ObtainRequest): Promise<Map<string, Uint8Array>> {
  const { files, cache, directories, offline } = request;
  const attempts: string[] = [];
  const attempt = async (name: string, body: () => Promise<Map<string, Uint8Array>>) => {
    try {
      return await body();
    } catch (error) {
      attempts.push(`${name}: ${reasonOf(error)}`);
      return undefined;
    }
  };
  for (const directory of [cache, ...directories]) {
    const found = await attempt(directory, () => readVerified(directory, files));
    if (found) return found;
  }
  for (const source of offline ? [] : request.sources) {
    const fetched = await attempt(source.name, () => fetchInto(cache, source, request));
    if (fetched) return fetched;
  }
  if (offline) attempts.push('download: not tried, because offline was asked for');
  throw new FtwtError(
    'NOT_FOUND',
    [
      `${request.title} was not found and could not be fetched. Tried:`,
      ...attempts.map((line) => `  - ${line}`),
      'What you can do:',
      ...request.remedies.map((line) => `  - ${line}`),
    ].join('\n'),
  );
}

async function fetchInto(
  cache: string,
  source: DataSource,
  { files, onProgress }: ObtainRequest,
): Promise<Map<string, Uint8Array>> {
  return withWorkDirectory(cache, async (work) => {
    await source.fetch(work, files, onProgress ?? (() => undefined));
    const contents = await readVerified(work, files);
    for (const { name } of files) await rename(join(work, `${name}.gz`), join(cache, `${name}.gz`));
    return contents;
  });
}

/** Reads, decompresses and checks all files of `directory`. */
async function readVerified(
  directory: string,
  files: readonly DataFile[],
): Promise<Map<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>();
  for (const file of files) contents.set(file.name, await readOne(directory, file));
  return contents;
}

async function readOne(directory: string, { name, bytes, sha256 }: DataFile): Promise<Uint8Array> {
  const raw = await readEither(join(directory, `${name}.gz`), join(directory, name));
  const isGzip = raw[0] === 0x1f && raw[1] === 0x8b;
  const contents = isGzip
    ? await unzip(raw, { maxOutputLength: bytes }).catch((error: Error) => {
        throw new FtwtError('CORRUPT_FILE', `${name}.gz does not decompress: ${error.message}`);
      })
    : raw;
  if (contents.length !== bytes) {
    throw new FtwtError(
      'CORRUPT_FILE',
      `${name}: expected ${bytes} bytes after decompression, got ${contents.length}`,
    );
  }
  const actual = createHash('sha256').update(contents).digest('hex');
  if (actual !== sha256) {
    throw new FtwtError('CORRUPT_FILE', `${name}: expected SHA-256 ${sha256}, got ${actual}`);
  }
  return new Uint8Array(contents.buffer, contents.byteOffset, contents.length);
}

async function readEither(first: string, second: string): Promise<Buffer> {
  try {
    return await readFile(first);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return readFile(second).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new FtwtError('NOT_FOUND', `no ${basename(first)}`);
    throw error;
  });
}

/** The message of an error and of what caused it (fetch hides the reason in `cause`). */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  return cause instanceof Error ? `${message} (${reasonOf(cause)})` : message;
}
