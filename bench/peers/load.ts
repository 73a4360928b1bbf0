/** Loads what `npm run bench:peers` installs. Those packages are large: the project does without them. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

export const peersFolder = resolve(__dirname, '../../../bench/peers');
const requirePeer = createRequire(join(peersFolder, 'package.json'));

/** Of the package that is installed, or undefined. */
export function peerVersion(name: string): string | undefined {
  try {
    return (requirePeer(`${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** @throws Error telling how to install it */
export function loadPeer<T>(name: string): T {
  if (peerVersion(name) === undefined) {
    throw new Error(`${name} is not installed: npm run bench:peers`);
  }
  return requirePeer(name) as T;
}
