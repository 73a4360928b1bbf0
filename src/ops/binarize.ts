import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import { checkTensor } from './checks.js';
import { withoutGradient } from './runOp.js';

/**
 * The binary mask of a predictor's output: 1 where the logit is above 0, the same as round(sigmoid(logit)). NaN gives 0.
 * The mask is a constant: it passes no gradient (see `stopGradient`), so the task loss never reaches a predictor.
 * @param maskLogits [N, C]
 * @returns mask [N, C], float32 of 0 and 1
 * @throws FtwtError INVALID_ARGUMENT for another rank or type, or C = 0
 */
export function binarize(maskLogits: Tensor2D): Tensor2D {
  checkTensor('binarize', 'maskLogits', maskLogits, '[N, C]');
  return withoutGradient(() => tf.where(tf.greater(maskLogits, 0), 1, 0) as Tensor2D);
}
