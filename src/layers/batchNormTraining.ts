/** Batch normalisation by the statistics of the batch, as a composite of stock ops. */
import * as tf from '@tensorflow/tfjs';

export type FusedActivation = 'linear' | 'relu' | 'relu6';

/**
 * Normalises x [N, H, W, C] over N, H, W, scales, shifts and activates.
 * `variance` is biased; `mean` and `variance` [C] are for running statistics.
 */
export function batchNormTraining(
  x: tf.Tensor4D,
  gamma: tf.Tensor1D | undefined,
  beta: tf.Tensor1D | undefined,
  options: { epsilon?: number; activation?: FusedActivation } = {},
): { y: tf.Tensor4D; mean: tf.Tensor1D; variance: tf.Tensor1D } {
  const { epsilon = 1e-3, activation = 'linear' } = options;
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const channels = x.shape[3];
  const y = tf.batchNorm4d(
    x,
    mean as tf.Tensor1D,
    variance as tf.Tensor1D,
    beta ?? tf.zeros<tf.Rank.R1>([channels]),
    gamma ?? tf.ones<tf.Rank.R1>([channels]),
    epsilon,
  );
  const activated = activation === 'linear' ? y : activation === 'relu' ? tf.relu(y) : tf.relu6(y);
  return { y: activated, mean: mean as tf.Tensor1D, variance: variance as tf.Tensor1D };
}
