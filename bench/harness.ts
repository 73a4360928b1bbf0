/** Timing by turns, medians and spread, and where results go. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform } from 'node:os';
import { join, resolve } from 'node:path';
import { deviceInfo } from '../src/index.js';

export const projectRoot = resolve(__dirname, '../..');

/** Something to time: `run` does the work once and returns when it is done. */
export interface Contender {
  name: string;
  run(): Promise<void>;
}

/** Milliseconds of one contender over all rounds. */
export interface Timing {
  name: string;
  median: number;
  min: number;
  max: number;
  rounds: number;
}

/** Runs the contenders in turn (A B C, A B C …), so that drift of a shared machine hits all alike. */
export async function timeByTurns(
  contenders: Contender[],
  { rounds, warmup = 1 }: { rounds: number; warmup?: number },
): Promise<Timing[]> {
  const times: number[][] = contenders.map(() => []);
  for (let round = -warmup; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const start = performance.now();
      await contender.run();
      if (round >= 0) times[index].push(performance.now() - start);
    }
  }
  return contenders.map(({ name }, index) => summarise(name, times[index]));
}

export function summarise(name: string, times: number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  return {
    name,
    median: sorted[sorted.length >> 1],
    min: sorted[0],
    max: sorted[sorted.length - 1],
    rounds: sorted.length,
  };
}

export interface Environment {
  date: string;
  commit: string;
  cpu: string;
  cores: number;
  threads: number;
  instructionSet: string;
  node: string;
  platform: string;
}

/** Of the clone; a bundle for GPU hosts has none and says it in FTWT_COMMIT. */
function commit(): string {
  const given = process.env.FTWT_COMMIT;
  if (given) return given;
  const git = ['rev-parse', '--short', 'HEAD'];
  return execFileSync('git', git, { cwd: projectRoot, encoding: 'utf8' }).trim();
}

export function environment(): Environment {
  const { threads, instructionSet } = deviceInfo();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    threads,
    instructionSet,
    node: process.version,
    platform: `${platform()}-${arch()}`,
  };
}

/** bench/results/<benchmark>-<instruction set>-<cores>core.json; the folder is made. */
export function resultsPath(benchmark: string, where = environment()): string {
  const directory = join(projectRoot, 'bench', 'results');
  mkdirSync(directory, { recursive: true });
  return join(directory, `${benchmark}-${where.instructionSet}-${where.cores}core.json`);
}

/**
 * Writes the results to `resultsPath` and returns that.
 * @param measured where the figures come from an earlier run: what differs from here and now
 */
export function saveResults(
  benchmark: string,
  results: object,
  measured: Partial<Environment> = {},
): string {
  const where = { ...environment(), ...measured };
  const path = resultsPath(benchmark, where);
  writeFileSync(
    path,
    `${JSON.stringify({ benchmark, environment: where, ...results }, null, 2)}\n`,
  );
  return path;
}

/** A Markdown table, columns padded so that it also reads well in a terminal. */
export function markdownTable(header: string[], rows: string[][]): string {
  const widths = header.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column].length)),
  );
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join(
    '\n',
  );
}
