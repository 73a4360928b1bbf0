/** Accuracy and loss of a model on a split; for a dynamic model also what its masks save. */
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { batches, type Batch, type Split } from '../data/index.js';
import { check, FtwtError } from '../errors.js';
import { recordMasks } from '../layers/maskRecorder.js';
import { checkAlive } from '../pruning/checkAlive.js';
import { isDynamic } from '../pruning/macs.js';
import { MacsMeter, type MacsSummary, type SampleMacs } from '../pruning/index.js';
import { crossEntropy } from './losses.js';
import { normalisationOf } from './normalisation.js';
import { checkModel } from './options.js';

export interface EvaluateOptions {
  /** Default 256. Results do not depend on it. */
  batchSize?: number;
  /** Per channel, in units of [0, 1]. Default: what the model was trained with, which `fit` notes in its metadata. */
  mean?: readonly number[];
  std?: readonly number[];
  /** Count the MACs of a dynamic model. Default true; it waits for the device after every batch. */
  macs?: boolean;
  /** Rejects with the signal's reason after the batch at work. */
  signal?: AbortSignal;
}

export interface Evaluation {
  /** Share of images whose highest score is their label's, 0 to 1. */
  accuracy: number;
  /** Mean cross entropy. */
  loss: number;
  images: number;
  seconds: number;
  /** [images], class of the highest score. */
  predicted: Int32Array;
  /** Of a dynamic model: both reductions, keep ratios and firing rates per layer. */
  macs?: MacsSummary;
  /** Of a dynamic model: MACs of each image, [images]. */
  sampleMacs?: SampleMacs;
}

/**
 * Runs a model over all images of a split, without augmentation.
 *
 * @param model [N, h, w, c] -> logits [N, classes]
 * @throws FtwtError INVALID_ARGUMENT for images, labels or settings that do not fit the model
 */
export async function evaluate(
  model: tf.LayersModel,
  split: Split,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkModel('evaluate', model, split);
  const noted = normalisationOf(model);
  const { mean = noted.mean, std = noted.std, batchSize = 256, macs = true, signal } = options;
  check(
    mean !== undefined && std !== undefined,
    () => 'evaluate: mean and std are needed for a model that was not trained with fit',
  );
  const start = performance.now();
  const meter = macs ? macsMeter(model) : undefined;
  const results: BatchResult[] = [];
  try {
    for (const batch of batches(split, { batchSize, mean, std })) {
      signal?.throwIfAborted();
      checkAlive('evaluate', model);
      results.push(evaluateBatch(model, batch, meter));
      // Lets signals and timers in.
      await setImmediate();
    }
    const predicted = await readPredictions(results);
    const correct = predicted.reduce((sum, k, i) => sum + Number(k === split.labels[i]), 0);
    const loss = await readTotalLoss(results);
    return {
      accuracy: correct / split.count,
      loss: loss / split.count,
      images: split.count,
      seconds: (performance.now() - start) / 1000,
      predicted,
      ...(meter && { macs: meter.summary(), sampleMacs: joinMacs(results) }),
    };
  } finally {
    tf.dispose(results.map(({ predicted, loss }) => [predicted, loss]));
  }
}

/**
 * Why the MACs of a dynamic model cannot be counted (an image size that is not fixed, say); undefined if they can, and
 * for other models.
 */
export function macsObstacle(model: tf.LayersModel): string | undefined {
  try {
    macsMeter(model);
  } catch (error) {
    if (error instanceof FtwtError) return error.message;
    throw error;
  }
  return undefined;
}

function macsMeter(model: tf.LayersModel): MacsMeter | undefined {
  return model.layers.some(isDynamic) ? new MacsMeter(model) : undefined;
}

/** Scores of one batch, left on the device. */
interface BatchResult {
  predicted: tf.Tensor1D; // [n]
  loss: tf.Scalar; // sum over the batch
  macs?: SampleMacs;
}

function evaluateBatch(
  model: tf.LayersModel,
  { x, labels, shape }: Batch,
  meter: MacsMeter | undefined,
): BatchResult {
  let scores!: BatchResult;
  tf.tidy(() => {
    const images = tf.tensor4d(x, shape);
    const { result: logits, records } = recordMasks(
      () => model.apply(images, { training: false }) as tf.Tensor2D,
    );
    const loss = crossEntropy(logits, tf.tensor1d(labels, 'int32')).mul<tf.Scalar>(labels.length);
    const macs = meter?.add(records, labels);
    scores = { predicted: tf.keep(logits.argMax<tf.Tensor1D>(1)), loss: tf.keep(loss), macs };
  });
  return scores;
}

async function readPredictions(results: readonly BatchResult[]): Promise<Int32Array> {
  const all = tf.concat1d(results.map(({ predicted }) => predicted));
  try {
    return Int32Array.from(await all.data());
  } finally {
    all.dispose();
  }
}

/** Summed in double precision. */
async function readTotalLoss(results: readonly BatchResult[]): Promise<number> {
  const all = tf.stack(results.map(({ loss }) => loss));
  try {
    return (await all.data<'float32'>()).reduce((sum, loss) => sum + loss, 0);
  } finally {
    all.dispose();
  }
}

function joinMacs(results: readonly BatchResult[]): SampleMacs {
  const join = (key: keyof SampleMacs) =>
    Float64Array.from(results.flatMap(({ macs }) => Array.from(macs![key])));
  return { published: join('published'), skippable: join('skippable') };
}
