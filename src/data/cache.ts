/** The cache directory, and work directories inside it that vanish again. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

const workPrefix = '.partial-';
/** Longer than any download may take: an older work directory was left by a killed process. */
const staleMilliseconds = 6 * 3600 * 1000;

/** Where fetched data sets are kept: `FTWT_CACHE`, or `tfjs-ftwt` in the user's cache directory (XDG). */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const { FTWT_CACHE, XDG_CACHE_HOME } = environment;
  if (FTWT_CACHE) return resolve(FTWT_CACHE);
  const base =
    XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache');
  return join(base, 'tfjs-ftwt');
}

/**
 * Runs `body` with a new empty directory inside `parent` (made if missing) and removes it afterwards.
 * It lies there because a rename from it into `parent` is atomic.
 */
export async function withWorkDirectory<T>(
  parent: string,
  body: (directory: string) => Promise<T>,
): Promise<T> {
  await mkdir(parent, { recursive: true });
  await removeStale(parent);
  const directory = join(parent, `${workPrefix}${process.pid}-${randomBytes(6).toString('hex')}`);
  await mkdir(directory);
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(workPrefix)) continue;
    const path = join(parent, name);
    // Another process may remove it at the same time.
    const modified = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Infinity,
    );
    if (Date.now() - modified > staleMilliseconds) await rm(path, { recursive: true, force: true });
  }
}
