// Runs the compiled tests with Node's own runner. Arguments: parts of file names to run (none: all).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', 'dist', 'test');
const wanted = process.argv.slice(2);
const files = readdirSync(root, { recursive: true })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => join(root, file))
  .sort();
if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(', ')}`);
  process.exit(1);
}
// Node's own default is one process less than there are cores.
const processes = Math.max(2, availableParallelism() - 1);
const { status } = spawnSync(
  process.execPath,
  ['--test', `--test-concurrency=${processes}`, '--expose-gc', ...files],
  { stdio: 'inherit' },
);
process.exit(status ?? 1);
