/** What the mask rules share: the order of the channels of a sample, and the way back from it. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';

/**
 * Saliencies above this count as this, so that no sum of them overflows. NaN and negative values count as 0.
 * native/cpu/mass_mask.cc uses the same bound.
 */
const largestSaliency = 1e30;

export interface RankedChannels {
  /** Saliency in descending order, [N, C]. */
  sorted: Tensor2D;
  /** The channel at each rank, int32 [N, C]; among equals the lower index comes first. */
  channels: Tensor2D;
}

export function rankChannels(saliency: Tensor2D): RankedChannels {
  const bounded = tf.minimum(saliency, largestSaliency);
  const clean = tf.where(tf.greater(saliency, 0), bounded, 0);
  const { values, indices } = tf.topk(clean, saliency.shape[1], true);
  return { sorted: values as Tensor2D, channels: indices as Tensor2D };
}

/**
 * The mask in channel order. The `minActive` leading channels are active whatever `keep` says.
 * @param keep bool [N, C] by rank
 */
export function maskFromRanks(
  keep: Tensor2D,
  { channels }: RankedChannels,
  minActive: number,
): Tensor2D {
  const [n, c] = keep.shape;
  const rank = tf.range(0, c, 1, 'int32');
  const active = tf.logicalOr(keep, tf.less(rank, tf.scalar(minActive, 'int32')).expandDims(0));
  const row = tf.mul(tf.range(0, n, 1, 'int32'), tf.scalar(c, 'int32')).expandDims(1);
  const target = tf.add(channels, row).reshape([n * c, 1]);
  const values = tf.where(active, 1, 0).reshape([n * c]) as Tensor1D;
  return tf.scatterND(target as Tensor2D, values, [n * c]).reshape([n, c]);
}
