/** Accuracy and loss of a model on a split. */
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { batches, type Split } from '../data/index.js';
import { check } from '../errors.js';
import { crossEntropy } from './losses.js';
import { checkModel } from './options.js';
import { normalisationOf } from './normalisation.js';

export interface EvaluateOptions {
  /** Default 256. The result does not depend on it. */
  batchSize?: number;
  /** Per channel, in units of [0, 1]. Default: what the model was trained with, which `fit` notes in its metadata. */
  mean?: readonly number[];
  std?: readonly number[];
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
  const { mean, std } = { ...normalisationOf(model), ...definedOnly(options) };
  check(
    mean !== undefined && std !== undefined,
    () => 'evaluate: mean and std are needed for a model that was not trained with fit',
  );
  const start = performance.now();
  const results: tf.Tensor1D[] = [];
  try {
    for (const batch of batches(split, { batchSize: options.batchSize ?? 256, mean, std })) {
      options.signal?.throwIfAborted();
      results.push(evaluateBatch(model, batch.x, batch.shape, batch.labels));
      await setImmediate();
    }
    const [loss, correct] = await sum(results);
    return {
      accuracy: correct / split.count,
      loss: loss / split.count,
      images: split.count,
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    tf.dispose(results);
  }
}

/** [sum of losses, correct answers] of one batch, left on the device. */
function evaluateBatch(
  model: tf.LayersModel,
  x: Float32Array,
  shape: [number, number, number, number],
  labels: Int32Array,
): tf.Tensor1D {
  return tf.tidy(() => {
    const logits = model.apply(tf.tensor4d(x, shape), { training: false }) as tf.Tensor2D;
    const expected = tf.tensor1d(labels, 'int32');
    const correct = logits.argMax(1).equal(expected).sum().toFloat();
    const loss = crossEntropy(logits, expected).mul(labels.length);
    return tf.stack([loss, correct]) as tf.Tensor1D;
  });
}

/** Sums rows in double precision, read from the device at once. */
async function sum(rows: tf.Tensor1D[]): Promise<[number, number]> {
  const all = tf.stack(rows);
  try {
    const values = await all.data();
    let [loss, correct] = [0, 0];
    for (let i = 0; i < values.length; i += 2) {
      loss += values[i];
      correct += values[i + 1];
    }
    return [loss, correct];
  } finally {
    all.dispose();
  }
}

function definedOnly({ mean, std }: EvaluateOptions): EvaluateOptions {
  return { ...(mean && { mean }), ...(std && { std }) };
}
