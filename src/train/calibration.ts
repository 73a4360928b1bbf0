/** Images from which `estimateMacs` and `massForBudget` predict reductions before any dynamic training. */
import * as tf from '@tensorflow/tfjs';
import { batches, type Split } from '../data/index.js';
import { check } from '../errors.js';
import { normalisationOf } from './normalisation.js';
import { checkModel } from './options.js';
import { atLeastOne, checkRange } from './ranges.js';

/**
 * A fixed random choice of images, normalised as the model's training images were. The caller disposes it.
 * @param model trained with `fit`
 * @param images how many, at most all; the same ones for the same split. Default 512
 * @returns [images, h, w, c]
 * @throws FtwtError INVALID_ARGUMENT where the model was not trained with `fit`, or the split does not fit it
 */
export function calibrationBatch(model: tf.LayersModel, split: Split, images = 512): tf.Tensor4D {
  checkModel('calibrationBatch', model, split);
  checkRange('calibrationBatch', 'images', images, atLeastOne);
  const { mean, std } = normalisationOf(model);
  check(
    mean !== undefined && std !== undefined,
    () =>
      'calibrationBatch: the model does not tell how images were normalised: it was not trained with fit',
  );
  const batchSize = Math.min(images, split.count);
  const [batch] = batches(split, { batchSize, shuffle: 0, mean, std });
  return tf.tensor4d(batch.x, batch.shape);
}
