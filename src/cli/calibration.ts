/** Training images from which reductions are estimated before any dynamic training. */
import * as tf from '@tensorflow/tfjs';
import { batches, type Split } from '../data/index.js';
import { check } from '../errors.js';
import {
  estimateMacs,
  massForBudget,
  type EstimateMacsOptions,
  type MacsEstimate,
  type MassForBudgetOptions,
} from '../pruning/index.js';
import { normalisationOf } from '../train/normalisation.js';

export type CalibrationGoal =
  | Pick<EstimateMacsOptions, 'mass' | 'keepRatio'>
  | Pick<MassForBudgetOptions, 'reduction' | 'metric'>;

/**
 * Estimates for a given mass or keep ratio, or finds the mass for a reduction.
 * @param model dense, trained with `fit`
 * @param images how many; the same ones for the same split
 * @throws FtwtError INVALID_ARGUMENT
 */
export function calibrate(
  model: tf.LayersModel,
  split: Split,
  images: number,
  goal: CalibrationGoal,
): MacsEstimate {
  const { mean, std } = normalisationOf(model);
  check(
    mean !== undefined && std !== undefined,
    () =>
      'the model does not tell how images were normalised: it was not trained with this package',
  );
  const [batch] = batches(split, {
    batchSize: Math.min(images, split.count),
    shuffle: 0,
    mean,
    std,
  });
  const x = tf.tensor4d(batch.x, batch.shape);
  try {
    return 'reduction' in goal
      ? massForBudget(model, x, goal).estimate
      : estimateMacs(model, x, goal);
  } finally {
    x.dispose();
  }
}
