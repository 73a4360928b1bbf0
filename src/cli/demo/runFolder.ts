/** The folder of a demo run: what lies where, and whether there is something to go on with. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FtwtError } from '../../errors.js';
import { makeWritableFolder, parseJson, readIntact } from '../../train/atomicFile.js';
import type { DemoSettings } from './settings.js';

/** `run.json`: what a resumed run needs besides its checkpoints. */
export interface RunState {
  settings: DemoSettings;
  /** Chosen after dense training. */
  mass?: number;
  /** Spent so far, by phase, in all processes that worked on the run. */
  seconds: Record<string, number>;
}

/** In the order of removal: a kill in between leaves a folder that is still known as a run's, unfinished. */
const ownFiles = ['report.json', 'report.html', 'dense', 'dynamic', 'checkpoints', 'run.json'];

export class RunFolder {
  state?: RunState;

  private constructor(readonly path: string) {}

  /**
   * Makes the folder, proves that it can be written, and sees what is in it: the state of an earlier run, unless that is
   * going to be replaced by force.
   * @throws FtwtError INVALID_ARGUMENT if it cannot be written or holds something else; CORRUPT_FILE for a damaged run.json
   */
  static async open(
    path: string,
    { resume = false, force = false }: { resume?: boolean; force?: boolean },
  ): Promise<RunFolder> {
    await makeWritableFolder(path, '--out and --name');
    const folder = new RunFolder(path);
    if (existsSync(folder.stateFile)) {
      if (resume || !force) folder.state = await readState(folder.stateFile);
      return folder;
    }
    const strangers = (await readdir(path)).filter((name) => !name.startsWith('.'));
    if (strangers.length > 0) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        `${path} holds ${strangers[0]}, but no run of this command: choose another --name or --out`,
      );
    }
    return folder;
  }

  get stateFile(): string {
    return join(this.path, 'run.json');
  }

  get reportFile(): string {
    return join(this.path, 'report.json');
  }

  /** Where the trained model is saved. */
  model(phase: 'dense' | 'dynamic'): string {
    return join(this.path, phase);
  }

  checkpoints(phase: 'dense' | 'dynamic'): string {
    return join(this.path, 'checkpoints', phase);
  }

  get finished(): boolean {
    return existsSync(this.reportFile);
  }

  /** Removes an earlier run. Whatever else lies in the folder stays. */
  async clear(): Promise<void> {
    for (const name of ownFiles) {
      await rm(join(this.path, name), { recursive: true, force: true });
    }
    this.state = undefined;
  }

  /** Synchronous, because it is called between training steps; the rename makes it atomic. */
  save(state: RunState): void {
    this.state = state;
    const temporary = `${this.stateFile}.new`;
    writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`);
    renameSync(temporary, this.stateFile);
  }

  /** The run is complete: only a stopped one needs its checkpoints. */
  async finish(): Promise<void> {
    await rm(join(this.path, 'checkpoints'), { recursive: true, force: true });
  }
}

/** @throws FtwtError CORRUPT_FILE */
async function readState(file: string): Promise<RunState> {
  try {
    const state = parseJson(file, await readIntact(file)) as Partial<RunState> | null;
    const complete = [state?.settings, state?.seconds].every(
      (part) => typeof part === 'object' && part !== null,
    );
    if (complete) return state as RunState;
  } catch (cause) {
    const { message } = cause as Error;
    throw new FtwtError('CORRUPT_FILE', `${message}; --force starts over`, { cause });
  }
  throw new FtwtError(
    'CORRUPT_FILE',
    `${file} is damaged: expected settings and seconds of a run; --force starts over`,
  );
}
