/** Images per second of several contenders on the same images, by turns, after their results were found right. */
import { setImmediate } from 'node:timers/promises';
import type * as tf from '@tensorflow/tfjs';
import type { Contender, Opened } from './contenders.js';
import { reference, WrongResults, type Reference } from './logits.js';
import { spreadOf, type Spread } from './statistics.js';
import { Runner, takeTurns, type Pace } from './turns.js';

/** A contender at one batch size. */
export interface SpeedRow {
  contender: string;
  batch: number;
  /** Of one run of the batch. */
  milliseconds: Spread;
  /** p10 is the slow end here as well. */
  imagesPerSecond: Spread;
  runs: number;
  /** The largest difference of a logit from that of `model.predict`, as a share of the largest logit. */
  error: number;
  /** Of sessions: skippable MACs, predictors included, as a share of the dense ones; mean over the images. */
  macsShare?: number;
}

/** A contender that was not timed, because it does not run or its results are wrong. */
export interface SpeedFailure {
  contender: string;
  batch: number;
  /** Otherwise it does not run. */
  wrong: boolean;
  reason: string;
}

export interface SpeedResults {
  rows: SpeedRow[];
  failures: SpeedFailure[];
}

export interface SpeedTask {
  contenders: readonly Contender[];
  batch: number;
  /** [any number, ...]: as many batches of them are run in turn as there are. */
  images: Float32Array;
  pace: Pace;
  signal?: AbortSignal;
}

/** So many images are compared with `model.predict`, or one batch. */
const checkedImages = 8;

/** @throws the signal's reason, between runs */
export async function measureSpeed(task: SpeedTask): Promise<SpeedResults> {
  const { contenders, batch, pace, signal } = task;
  const batches = batchesOf(task);
  const expected = new References(batches.slice(0, Math.ceil(checkedImages / batch)));
  const ready: Ready[] = [];
  const failures: SpeedFailure[] = [];
  try {
    for (const contender of contenders) {
      await setImmediate();
      signal?.throwIfAborted();
      try {
        ready.push(await readyOne(contender, batch, expected));
      } catch (error) {
        const reason = (error as Error).message;
        const wrong = error instanceof WrongResults;
        failures.push({ contender: contender.name, batch, wrong, reason });
      }
    }
    const runners = ready.map(({ opened }) => {
      let next = 0;
      return new Runner(() => opened.run(batches[next++ % batches.length]), signal);
    });
    const times = await takeTurns(runners, pace, signal);
    const rows = ready.map((each, i) => rowOf(each, { batch, batches, times: times[i].flat() }));
    return { rows, failures };
  } finally {
    for (const { opened } of ready) await opened.release();
  }
}

/** What the models say, each asked once. */
class References {
  private readonly known = new Map<tf.LayersModel, Reference[]>();

  constructor(readonly batches: readonly Float32Array[]) {}

  of(model: tf.LayersModel): Reference[] {
    const known = this.known.get(model) ?? this.batches.map((images) => reference(model, images));
    this.known.set(model, known);
    return known;
  }
}

interface Ready {
  name: string;
  opened: Opened;
  error: number;
}

async function readyOne(
  { name, model, open }: Contender,
  batch: number,
  expected: References,
): Promise<Ready> {
  const wanted = expected.of(model);
  const opened = await open(batch);
  try {
    let error = 0;
    for (const [i, images] of expected.batches.entries()) {
      error = Math.max(error, await opened.check(images, wanted[i]));
    }
    return { name, opened, error };
  } catch (error) {
    await opened.release();
    throw error;
  }
}

function rowOf(
  { name, opened, error }: Ready,
  { batch, batches, times }: { batch: number; batches: Float32Array[]; times: number[] },
): SpeedRow {
  const row: SpeedRow = {
    ...{ contender: name, batch },
    milliseconds: spreadOf(times),
    imagesPerSecond: spreadOf(times.map((ms) => (1000 * batch) / ms)),
    ...{ runs: times.length, error },
  };
  if (opened.macs !== undefined) {
    const shares = batches.flatMap((images) => opened.macs!(images));
    row.macsShare = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  }
  return row;
}

/** Whole batches; images that are too few for one are repeated. */
function batchesOf({ contenders, batch, images }: SpeedTask): Float32Array[] {
  const shape = contenders[0].model.inputs[0].shape.slice(1) as number[];
  const size = batch * shape.reduce((product, length) => product * length, 1);
  if (images.length < size) {
    const repeated = new Float32Array(size);
    for (let i = 0; i < size; i += images.length) {
      repeated.set(images.subarray(0, Math.min(images.length, size - i)), i);
    }
    return [repeated];
  }
  return Array.from({ length: Math.floor(images.length / size) }, (_, i) =>
    images.subarray(i * size, (i + 1) * size),
  );
}
