/** Times the contenders of one case by turns, each in its own process. */
import { setTimeout as sleep } from 'node:timers/promises';
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
export interface Row extends Facts, Spec {
  median: number;
  p10: number;
  p90: number;
  /** The median of each round. */
  rounds: number[];
  runs: number;
}

export interface Pace {
  rounds: number;
  /** How long a contender runs when it is its turn. */
  turnMs: number;
}

/** ONNX Runtime's threads spin for a while after a run, on the cores that the next one needs. */
const pauseMs = 80;

/** Contenders that take longer than so many turns for one run are timed in the first rounds only. */
const slowTurns = 5;
const slowRounds = 2;

/** @param tell of what cannot be timed, and why */
export async function timeCase(
  { contenders, ...where }: Case,
  { rounds, turnMs }: Pace,
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
    const times = new Map(processes.map((process) => [process, [] as number[][]]));
    for (let round = 0; round < rounds; round++) {
      for (const process of processes) {
        const earlier = times.get(process)!;
        const slow = earlier.length > 0 && earlier[0][0] > slowTurns * turnMs;
        if (slow && round >= slowRounds) continue;
        await sleep(pauseMs);
        earlier.push(await process.turn(turnMs));
      }
    }
    return processes.map((process) => rowOf(process, times.get(process)!));
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
}

function rowOf({ spec, facts }: ContenderProcess, rounds: number[][]): Row {
  const all = rounds.flat();
  return {
    ...spec,
    ...facts,
    median: quantile(all, 0.5),
    p10: quantile(all, 0.1),
    p90: quantile(all, 0.9),
    rounds: rounds.map((times) => quantile(times, 0.5)),
    runs: all.length,
  };
}

/** The value below which a share of the values lies, between two of them interpolated. */
export function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
