/** Runs the `ftwt` command in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';

const main = resolve(__dirname, '../../src/cli/main.js');

export interface Outcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/**
 * @param watch gets the process and all of stderr so far, whenever there is more of it
 * @param cwd where it runs
 */
export function runFtwt(
  args: string[],
  watch?: (child: ChildProcess, stderr: string) => void,
  cwd?: string,
): Promise<Outcome> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FTWT_OFFLINE: '1' },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => {
      stderr += text;
      watch?.(child, stderr);
    });
    child.on('error', fail);
    child.on('close', (exitCode) => done({ exitCode, stdout, stderr }));
  });
}

/** For `runFtwt`: one Ctrl-C as soon as stderr has `text`. */
export function interruptAt(text: string): (child: ChildProcess, stderr: string) => void {
  let sent = false;
  return (child, stderr) => {
    if (sent || !stderr.includes(text)) return;
    sent = true;
    child.kill('SIGINT');
  };
}

/** A folder that is removed after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ftwt-cli-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
