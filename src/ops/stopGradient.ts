import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { withoutGradient } from './runOp.js';

/**
 * The same values, as a constant: gradients do not flow from the result to `x`, and none are computed for it.
 *
 * Because the result is a constant, `tf.grad` of a function that depends on its argument through `stopGradient` alone
 * throws tfjs's "Cannot compute gradient" error, as for any other constant.
 * @param x any tensor
 * @returns a tensor of the same shape and type that shares x's memory
 * @throws FtwtError INVALID_ARGUMENT when `x` is not a tensor
 */
export function stopGradient<T extends Tensor>(x: T): T {
  check(x instanceof tf.Tensor, () => `stopGradient: x must be a tensor, got ${String(x)}`);
  check(!x.isDisposed, () => 'stopGradient: x is disposed');
  return withoutGradient(() => tf.clone(x));
}
