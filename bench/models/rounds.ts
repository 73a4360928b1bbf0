/** Times the contenders of one case by turns, each in its own process. */
import { spreadOf, quantile, type Spread } from '../../src/timing/statistics.js';
import { takeTurns, type Pace } from '../../src/timing/turns.js';
import { ContenderProcess } from './contenderProcess.js';
import type { ContenderName, Facts, Spec } from './spec.js';

/** A network at one batch size. */
export interface Case {
  network: string;
  batch: number;
  threads: number;
  contenders: ContenderName[];
}

/** Milliseconds of one run of the batch. */
export interface Row extends Facts, Spec, Spread {
  /** The median of each round. */
  rounds: number[];
  runs: number;
}

/** @param tell of what cannot be timed, and why */
export async function timeCase(
  { contenders, ...where }: Case,
  pace: Pace,
  tell: (message: string) => void,
): Promise<Row[]> {
  const processes: ContenderProcess[] = [];
  try {
    for (const contender of contenders) {
      try {
        processes.push(await ContenderProcess.start({ ...where, contender }));
      } catch (error) {
        tell(`${where.network}, ${contender} is not timed: ${(error as Error).message}`);
      }
    }
    const times = await takeTurns(processes, pace);
    return processes.map((process, i) => rowOf(process, times[i]));
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
}

function rowOf({ spec, facts }: ContenderProcess, rounds: number[][]): Row {
  const all = rounds.flat();
  return {
    ...spec,
    ...facts,
    ...spreadOf(all),
    rounds: rounds.map((times) => quantile(times, 0.5)),
    runs: all.length,
  };
}
