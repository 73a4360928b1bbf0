/** Fetches files from a web server. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FtwtError } from '../../errors.js';
import type { DataFile, DataSource } from '../obtain.js';
import type { OnProgress } from '../types.js';

/** Room for a file that does not compress. */
const compressionOverhead = 2 ** 20;

/** How long to wait, in milliseconds. */
export interface HttpTimeouts {
  /** For the answer's headers. */
  connect: number;
  /** For the next bytes. */
  stall: number;
}

/** The source that gets `<base><name>.gz`. Follows redirects; does not resume. */
export function httpSource(
  base: string,
  timeouts: HttpTimeouts = { connect: 15_000, stall: 30_000 },
): DataSource {
  return {
    name: base,
    async fetch(directory, files, onProgress) {
      for (const file of files) {
        try {
          await download(`${base}${file.name}.gz`, directory, file, timeouts, onProgress);
        } catch (cause) {
          throw new FtwtError('NOT_FOUND', `${file.name}.gz`, { cause });
        }
      }
    },
  };
}

async function download(
  url: string,
  directory: string,
  { name, bytes }: DataFile,
  timeouts: HttpTimeouts,
  onProgress: OnProgress,
): Promise<void> {
  const controller = new AbortController();
  const deadline = (milliseconds: number, what: string) =>
    setTimeout(
      () => controller.abort(new Error(`no ${what} for ${milliseconds / 1000} s`)),
      milliseconds,
    );
  let timer = deadline(timeouts.connect, 'answer');
  const output = await open(join(directory, `${name}.gz`), 'wx');
  try {
    // identity: the file is compressed already, and fetch would silently decompress it.
    const headers = { 'accept-encoding': 'identity' };
    const response = await fetch(url, { headers, signal: controller.signal });
    if (!response.ok || !response.body) throw new Error(`HTTP status ${response.status}`);
    const total = Number(response.headers.get('content-length')) || undefined;
    let done = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      timer = deadline(timeouts.stall, 'data');
      done += chunk.length;
      if (done > bytes + compressionOverhead) {
        throw new Error(`expected at most ${bytes + compressionOverhead} bytes, got more`);
      }
      await output.write(chunk);
      onProgress({ source: url, file: `${name}.gz`, unit: 'bytes', done, total });
    }
  } finally {
    clearTimeout(timer);
    // Closes the connection when we stop half-way; does nothing after the end.
    controller.abort();
    await output.close();
  }
}
