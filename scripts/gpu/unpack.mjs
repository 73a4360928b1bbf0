// node unpack.mjs ARCHIVE FOLDER: writes the files of an archive made by pack.mjs into a new folder, all or none.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** @throws Error if the archive cannot be read or written out */
export function unpack(archive, folder) {
  const bundle = import.meta.dirname;
  const { status, stdout, stderr, error } = spawnSync(join(bundle, 'xz'), ['-dc', archive], {
    maxBuffer: 2 ** 31,
    env: { ...process.env, LD_LIBRARY_PATH: join(bundle, 'lib') },
  });
  if (status !== 0) {
    throw new Error(
      `${archive} does not decompress: ${error?.message ?? stderr.toString().trim()}`,
    );
  }
  const headerEnd = stdout.indexOf('\n');
  const partial = `${folder}.partial-${process.pid}`;
  try {
    let offset = headerEnd + 1;
    for (const { path, size, mode } of JSON.parse(stdout.subarray(0, headerEnd).toString())) {
      const target = join(partial, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, stdout.subarray(offset, offset + size), { mode });
      offset += size;
    }
    renameSync(partial, folder);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    throw new Error(`${archive} cannot be unpacked into ${folder}: ${cause.message}`, { cause });
  }
}

if (process.argv[1] === import.meta.filename) {
  const [archive, folder] = process.argv.slice(2);
  try {
    unpack(archive, folder);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
