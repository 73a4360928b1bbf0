/** Runs a model over a split and keeps what each image got: class, and for a dynamic model its own MACs. */
import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { batches, type Batch, type Split } from '../data/index.js';
import { check } from '../errors.js';
import { recordMasks } from '../layers/maskRecorder.js';
import { MacsMeter, type MacsSummary } from '../pruning/index.js';
import { crossEntropy } from '../train/index.js';
import { normalisationOf } from '../train/normalisation.js';
import { checkModel } from '../train/options.js';
import { isDynamicModel } from './models.js';

export interface Inspection {
  /** From 0 to 1. */
  accuracy: number;
  /** Mean cross entropy. */
  loss: number;
  images: number;
  seconds: number;
  /** [images], class of the highest score. */
  predicted: Int32Array;
  /** Of a dynamic model. */
  macs?: MacsSummary;
  /** [images], skippable count; of a dynamic model. */
  sampleMacs?: Float64Array;
}

/**
 * @param signal rejects with its reason after the batch at work
 * @throws FtwtError INVALID_ARGUMENT for images or labels that do not fit, or a model without noted normalisation
 */
export async function inspect(
  model: tf.LayersModel,
  split: Split,
  { batchSize = 250, signal }: { batchSize?: number; signal?: AbortSignal } = {},
): Promise<Inspection> {
  checkModel('evaluate', model, split);
  const { mean, std } = normalisationOf(model);
  check(
    mean !== undefined && std !== undefined,
    () =>
      'the model does not tell how images were normalised: it was not trained with this package',
  );
  const start = performance.now();
  const meter = isDynamicModel(model) ? new MacsMeter(model) : undefined;
  const predicted = new Int32Array(split.count);
  const sampleMacs = new Float64Array(split.count);
  let [done, loss] = [0, 0];
  for (const batch of batches(split, { batchSize, mean, std })) {
    signal?.throwIfAborted();
    const result = forward(model, batch, meter);
    predicted.set(result.predicted, done);
    if (result.macs !== undefined) sampleMacs.set(result.macs, done);
    loss += result.loss * batch.labels.length;
    done += batch.labels.length;
    await setImmediate(); // lets signals in
  }
  const correct = predicted.reduce((sum, k, i) => sum + Number(k === split.labels[i]), 0);
  return {
    accuracy: correct / split.count,
    loss: loss / split.count,
    images: split.count,
    seconds: (performance.now() - start) / 1000,
    predicted,
    ...(meter !== undefined && { macs: meter.summary(), sampleMacs }),
  };
}

interface BatchResult {
  predicted: Int32Array;
  /** Mean over the batch. */
  loss: number;
  macs?: Float64Array;
}

function forward(
  model: tf.LayersModel,
  { x, labels, shape }: Batch,
  meter: MacsMeter | undefined,
): BatchResult {
  let values!: BatchResult;
  tf.tidy(() => {
    const { result: logits, records } = recordMasks(
      () => model.apply(tf.tensor4d(x, shape), { training: false }) as tf.Tensor2D,
    );
    values = {
      predicted: logits.argMax(1).dataSync<'int32'>(),
      loss: crossEntropy(logits, tf.tensor1d(labels, 'int32')).dataSync()[0],
      macs: meter?.add(records, labels).skippable,
    };
  });
  return values;
}
