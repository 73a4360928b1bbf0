/** Fetches files from a Debian package, without installing it and without root. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FtwtError } from '../../errors.js';
import type { DataSource } from '../obtain.js';

const commandMilliseconds = 15 * 60_000;
const progressMilliseconds = 200;

/** Where a package keeps the files. */
export interface AptPackage {
  package: string;
  /** Inside the package, relative. */
  directory: string;
}

/** The programs to run; tests put others in their place. */
export interface AptPrograms {
  aptGet: string;
  dpkgDeb: string;
}

/**
 * The source that runs `apt-get download` and `dpkg-deb -x`. Where apt has no package lists yet, it fetches lists
 * of its own into the work directory: the system's are neither needed nor touched.
 */
export function aptSource(
  { package: packageName, directory: inside }: AptPackage,
  { aptGet, dpkgDeb }: AptPrograms = { aptGet: 'apt-get', dpkgDeb: 'dpkg-deb' },
): DataSource {
  return {
    name: `apt-get download ${packageName}`,
    async fetch(directory, files, onProgress) {
      const options = ['-q', '-o', 'Acquire::http::Timeout=30', '-o', 'Acquire::Retries=1'];
      const locate = () =>
        run(aptGet, [...options, 'download', '--print-uris', packageName], directory);
      let located = await locate().catch((error: Error) => error);
      if (located instanceof Error && /Unable to locate|No candidate/.test(located.message)) {
        options.push(...(await privateLists(directory)));
        await run(aptGet, [...options, 'update'], directory);
        located = await locate();
      }
      if (located instanceof Error) throw located;
      // 'uri' file size hash
      const [, file, size] = located.trim().split('\n').pop()!.split(' ');
      const deb = join(directory, file);
      const watch = setInterval(() => {
        stat(deb).then(
          ({ size: done }) =>
            onProgress({
              source: `apt-get download ${packageName}`,
              file,
              unit: 'bytes',
              done,
              total: Number(size) || undefined,
            }),
          () => undefined, // not there yet
        );
      }, progressMilliseconds);
      try {
        await run(aptGet, [...options, 'download', packageName], directory);
      } finally {
        clearInterval(watch);
      }
      await run(dpkgDeb, ['-x', deb, join(directory, 'unpacked')], directory);
      await takeOut(join(directory, 'unpacked', inside), directory, files);
    },
  };
}

/** apt options that keep package lists and their index in `directory`. */
async function privateLists(directory: string): Promise<string[]> {
  const [lists, cache] = [join(directory, 'apt-lists'), join(directory, 'apt-cache')];
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  return ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
}

async function takeOut(
  from: string,
  to: string,
  files: readonly { name: string }[],
): Promise<void> {
  const present = await readdir(from).catch(() => [] as string[]);
  for (const { name } of files) {
    if (!present.includes(`${name}.gz`)) {
      throw new FtwtError('NOT_FOUND', `the package holds no ${name}.gz`);
    }
    await rename(join(from, `${name}.gz`), join(to, `${name}.gz`));
  }
}

/** Runs a program and gives what it prints; its last line of complaint becomes the error's message. */
function run(program: string, parameters: string[], cwd: string): Promise<string> {
  const settings = {
    cwd,
    timeout: commandMilliseconds,
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
  };
  return new Promise((resolve, reject) => {
    execFile(program, parameters, settings, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const complaint = stderr.trim().split('\n').pop();
      const reason = missing ? 'is not on the PATH' : complaint || error.message;
      reject(new FtwtError('NOT_FOUND', `${program}: ${reason}`));
    });
  });
}
