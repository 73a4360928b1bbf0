/** Timing by turns: what drifts on a shared machine hits all contenders alike. */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';

export interface Pace {
  rounds: number;
  /** How long a contender runs when it is its turn. */
  turnMs: number;
}

/** What takes turns: runs for so long, at least once, and tells the milliseconds of each run. */
export interface Entrant {
  turn(milliseconds: number): Promise<number[]>;
}

/** ONNX Runtime's threads spin for a while after a run, on the cores that the next one needs. */
const pauseMs = 80;

/** Entrants that take longer than so many turns for one run are timed in the first rounds only. */
const slowTurns = 5;
const slowRounds = 2;

/**
 * @returns of each entrant, the milliseconds of its runs, round by round
 * @throws what an entrant throws; the signal's reason, between turns
 */
export async function takeTurns(
  entrants: readonly Entrant[],
  { rounds, turnMs }: Pace,
  signal?: AbortSignal,
): Promise<number[][][]> {
  const times = entrants.map((): number[][] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, entrant] of entrants.entries()) {
      const earlier = times[i];
      const slow = earlier.length > 0 && earlier[0][0] > slowTurns * turnMs;
      if (slow && round >= slowRounds) continue;
      await sleep(pauseMs);
      signal?.throwIfAborted();
      earlier.push(await entrant.turn(turnMs));
    }
  }
  return times;
}

/** Brings caches, threads and the clock back up after the others' turns: to runs longer than that it does not matter. */
const warmUpMs = 30;
const longRunMs = 500;

/** Signals are let in so often, and not between all runs: short ones would take longer. */
const breathMs = 20;

/** An entrant in this process. */
export class Runner implements Entrant {
  private lastRun?: number;

  /** @param run does the work once */
  constructor(
    private readonly run: () => unknown,
    private readonly signal?: AbortSignal,
  ) {}

  async turn(milliseconds: number): Promise<number[]> {
    // Of the first run it is not known whether it is long.
    this.lastRun ??= (await this.repeat(0))[0];
    if (this.lastRun < longRunMs) await this.repeat(warmUpMs);
    const times = await this.repeat(milliseconds);
    this.lastRun = times.at(-1)!;
    return times;
  }

  /** Runs for so long, at least once; milliseconds of each run. */
  async repeat(milliseconds: number): Promise<number[]> {
    const times: number[] = [];
    const end = performance.now() + milliseconds;
    let breath = -Infinity;
    do {
      if (performance.now() - breath > breathMs) {
        await setImmediate();
        this.signal?.throwIfAborted();
        breath = performance.now();
      }
      const start = performance.now();
      await this.run();
      times.push(performance.now() - start);
    } while (performance.now() < end);
    return times;
  }
}
