// Archives for scripts/gpu/unpack.mjs: a line of JSON that lists the files, then their contents, all through `xz -9`.
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param files path in the archive -> path of a file, or its contents */
export function pack(files) {
  const entries = [...files].map(([path, from]) => {
    const contents = typeof from === 'string' ? readFileSync(from) : from;
    const executable = typeof from === 'string' && (statSync(from).mode & 0o111) !== 0;
    return { path, contents, mode: executable ? 0o755 : 0o644 };
  });
  const index = entries.map(({ path, contents, mode }) => ({ path, size: contents.length, mode }));
  return Buffer.concat([
    Buffer.from(`${JSON.stringify(index)}\n`),
    ...entries.map(({ contents }) => contents),
  ]);
}

/** `xz -9`, which takes minutes for tens of megabytes: what `cache` holds already is taken from there. */
export function compress(contents, cache) {
  const path = join(cache, `${createHash('sha256').update(contents).digest('hex')}.xz`);
  if (!existsSync(path)) {
    const { status, stdout, stderr, error } = spawnSync('xz', ['-9', '-c'], {
      input: contents,
      maxBuffer: 2 ** 31,
    });
    if (status !== 0) throw new Error(`xz failed: ${error?.message ?? stderr.toString().trim()}`);
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${path}.partial`, stdout);
    renameSync(`${path}.partial`, path);
  }
  return readFileSync(path);
}
