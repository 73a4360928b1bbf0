/**
 * Checkpoints in a folder, one subfolder each: state.json, tensors.bin, and manifest.json with their lengths and
 * checksums. A subfolder gets its name only when all of it is on the disk, and loses it before any of it is removed:
 * a kill at any moment leaves complete checkpoints and at most some rubbish, which the next run sweeps up.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FtwtError } from '../errors.js';
import {
  checkSha256,
  makeWritableFolder,
  parseJson,
  readIntact,
  removeLeftovers,
  sha256,
  syncFolder,
  temporaryName,
  writeDurably,
} from './atomicFile.js';

const formatVersion = 1;
const stateFile = 'state.json';
const tensorsFile = 'tensors.bin';
const manifestFile = 'manifest.json';

/** One checkpoint: anything that JSON can hold, and bytes. */
export interface Checkpoint<State> {
  state: State;
  tensors: Uint8Array;
}

interface Manifest {
  formatVersion: number;
  files: Record<string, { bytes: number; sha256: string }>;
}

export class CheckpointFolder<State> {
  private constructor(
    readonly path: string,
    private readonly keep: number,
  ) {}

  /**
   * Makes the folder if it is missing.
   * @param keep how many of the newest checkpoints stay
   * @throws FtwtError INVALID_ARGUMENT if the folder cannot be written
   */
  static async open<State>(path: string, keep: number): Promise<CheckpointFolder<State>> {
    await makeWritableFolder(path, 'checkpoints.directory');
    await removeLeftovers(path);
    return new CheckpointFolder<State>(path, keep);
  }

  /** Running numbers of the checkpoints in the folder, newest first; damaged ones included. */
  async numbers(): Promise<number[]> {
    const names = await readdir(this.path);
    return names
      .map((name) => /^checkpoint-(\d+)$/.exec(name))
      .filter((match) => match !== null)
      .map((match) => Number(match[1]))
      .sort((a, b) => b - a);
  }

  /**
   * Writes a checkpoint under a new number, then removes those beyond `keep`.
   * @returns its folder
   * @throws FtwtError INVALID_ARGUMENT if it cannot be written (disk full, folder gone); older ones are untouched
   */
  async save(checkpoint: Checkpoint<State>): Promise<string> {
    try {
      return await this.write(checkpoint);
    } catch (cause) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        `checkpoints.directory: writing a checkpoint into ${this.path} failed: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  private async write({ state, tensors }: Checkpoint<State>): Promise<string> {
    const target = this.folderOf(((await this.numbers())[0] ?? 0) + 1);
    const temporary = temporaryName(target);
    await mkdir(temporary);
    try {
      const contents = { [stateFile]: JSON.stringify(state), [tensorsFile]: tensors };
      const manifest: Manifest = { formatVersion, files: {} };
      for (const [name, content] of Object.entries(contents)) {
        await writeDurably(join(temporary, name), content);
        manifest.files[name] = { bytes: Buffer.byteLength(content), sha256: sha256(content) };
      }
      await writeDurably(join(temporary, manifestFile), JSON.stringify(manifest));
      await syncFolder(temporary);
      await rename(temporary, target);
      await syncFolder(this.path);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    for (const old of (await this.numbers()).slice(this.keep)) await this.remove(old);
    return target;
  }

  /**
   * Reads the newest intact checkpoint.
   * @param onDamaged called with the reason for each newer one that had to be skipped
   * @returns undefined if there are no checkpoints
   * @throws FtwtError CORRUPT_FILE naming file and reason if there are some, but none is intact
   */
  async loadNewest(onDamaged: (message: string) => void): Promise<Checkpoint<State> | undefined> {
    let damaged: FtwtError | undefined;
    for (const number of await this.numbers()) {
      try {
        return await this.load(number);
      } catch (error) {
        if (!(error instanceof FtwtError) || error.code !== 'CORRUPT_FILE') throw error;
        damaged ??= error;
        onDamaged(error.message);
      }
    }
    if (damaged !== undefined) throw damaged;
    return undefined;
  }

  private async load(number: number): Promise<Checkpoint<State>> {
    const folder = this.folderOf(number);
    const manifestPath = join(folder, manifestFile);
    const manifest = parseJson(manifestPath, await readIntact(manifestPath)) as Manifest | null;
    if (manifest?.formatVersion !== formatVersion) {
      throw new FtwtError(
        'CORRUPT_FILE',
        `${manifestPath}: expected format version ${formatVersion}, got ${manifest?.formatVersion}`,
      );
    }
    const read = async (name: string): Promise<Buffer> => {
      const path = join(folder, name);
      const entry = manifest.files?.[name];
      if (entry === undefined) {
        throw new FtwtError('CORRUPT_FILE', `${manifestPath} is damaged: it lists no ${name}`);
      }
      const content = await readIntact(path, entry.bytes);
      checkSha256(path, content, entry.sha256);
      return content;
    };
    const statePath = join(folder, stateFile);
    return {
      state: parseJson(statePath, await read(stateFile)) as State,
      tensors: await read(tensorsFile),
    };
  }

  /** Takes the name away first: a half removed checkpoint must not look like a damaged one. */
  private async remove(number: number): Promise<void> {
    const folder = this.folderOf(number);
    const temporary = temporaryName(folder);
    await rename(folder, temporary);
    await rm(temporary, { recursive: true, force: true });
  }

  private folderOf(number: number): string {
    return join(this.path, `checkpoint-${String(number).padStart(6, '0')}`);
  }
}
