/** Reductions estimated before any dynamic training. */
import type * as tf from '@tensorflow/tfjs';
import type { Split } from '../data/index.js';
import {
  estimateMacs,
  massForBudget,
  type EstimateMacsOptions,
  type MacsEstimate,
  type MassForBudgetOptions,
} from '../pruning/index.js';
import { calibrationBatch } from '../train/index.js';

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
  const x = calibrationBatch(model, split, images);
  try {
    return 'reduction' in goal
      ? massForBudget(model, x, goal).estimate
      : estimateMacs(model, x, goal);
  } finally {
    x.dispose();
  }
}
