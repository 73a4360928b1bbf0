/** Which version of the package this is. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

export const packageRoot = resolve(__dirname, '../../..');

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(resolve(packageRoot, 'package.json'), 'utf8'));
  return version;
}

/** The commit of this package's checkout; null if it is none, or without git. */
export async function packageCommit(): Promise<string | null> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', ['-C', packageRoot, ...args])).stdout.trim();
  try {
    // An installed package may lie inside somebody else's repository.
    const [root, commit] = [
      await git('rev-parse', '--show-toplevel'),
      await git('rev-parse', 'HEAD'),
    ];
    return resolve(root) === packageRoot ? commit : null;
  } catch {
    return null;
  }
}
