/** The gradient of a maximum over H and W, of stock ops. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs';

/**
 * Puts dy [N, C] where x [N, H, W, C] has its maximum over H, W, the first one in row order; zero elsewhere.
 */
export function scatterToMaximum(dy: Tensor2D, x: Tensor4D): Tensor4D {
  const [n, h, w, c] = x.shape;
  const first = tf.argMax(tf.reshape(x, [n, h * w, c]), 1).expandDims(1);
  const position = tf.reshape(tf.range(0, h * w, 1, 'int32'), [1, h * w, 1]);
  const dx = tf.where(tf.equal(position, first), tf.expandDims(dy, 1), 0);
  return tf.reshape(dx, x.shape);
}
