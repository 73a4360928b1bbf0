/** Runs a script with worker threads in a process of its own: a crash is a failed test, and not the end of the runner. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporaryFolder.js';

export interface Script {
  /** What main thread and workers both have: a function `compute(times)` that returns a promise of plain data. */
  work: string;
  /**
   * What the main thread does; it prints JSON. `start(times)` starts a worker that computes and posts the result; `once`
   * is that of node:events.
   */
  main: string;
}

/** Returns what the script printed, after a clean exit. */
export function runProcess({ work, main }: Script) {
  const folder = temporaryFolder();
  const file = join(folder, 'main.cjs');
  const worker = join(folder, 'worker.cjs');
  writeFileSync(
    worker,
    `${work}
    const { parentPort, workerData } = require('node:worker_threads');
    compute(workerData).then((result) => parentPort.postMessage(result));`,
  );
  writeFileSync(
    file,
    `${work}
    const { once } = require('node:events');
    const { Worker } = require('node:worker_threads');
    const start = (times) => new Worker(${JSON.stringify(worker)}, { workerData: times });
    (async () => { ${main} })();`,
  );
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
  });
  assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
  return JSON.parse(stdout);
}
