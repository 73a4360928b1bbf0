import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import type { TopKMaskAttrs } from '../backend/kernels/masks.js';
import { check } from '../errors.js';
import { checkInteger, checkTensor } from './checks.js';
import { maskFromRanks, rankChannels } from './rankChannels.js';
import { registerComposite, runOp, withoutGradient } from './runOp.js';

export interface TopKMaskOptions {
  /** At least this many channels of every sample are active, the most salient first. Default 1. */
  minActive?: number;
}

/** Channels of at most this saliency are dead. */
const deadSaliency = 1e-5;

/**
 * The "uniform" target of a mask predictor: the same number of channels for every sample, `round(keepRatio * C)`, the
 * most salient ones. Among equals the lower channel wins. Dead channels (saliency <= 1e-5) are dropped as well.
 * NaN counts as dead, +Inf as 1e30. The mask is a constant: it passes no gradient.
 *
 * Source: FTWT (arXiv 2110.08232), "uniform" pruning, and the authors' code for dead channels.
 * @param saliency [N, C], e.g. of `channelSaliency`
 * @param keepRatio in (0, 1]
 * @returns targetMask [N, C], float32 of 0 and 1
 * @throws FtwtError INVALID_ARGUMENT
 */
export function topKMask(
  saliency: Tensor2D,
  keepRatio: number,
  { minActive = 1 }: TopKMaskOptions = {},
): Tensor2D {
  checkTensor('topKMask', 'saliency', saliency, '[N, C]');
  check(
    keepRatio > 0 && keepRatio <= 1,
    () => `topKMask: keepRatio must be in (0, 1], got ${String(keepRatio)}`,
  );
  checkInteger('topKMask', 'minActive', minActive, 0);
  const count = Math.round(keepRatio * saliency.shape[1]);
  const attrs: TopKMaskAttrs = { count, minActive };
  return withoutGradient(() => runOp('TopKMask', { saliency }, attrs));
}

registerComposite<{ saliency: Tensor2D }, TopKMaskAttrs>(
  'TopKMask',
  ({ saliency }, { count, minActive }) => {
    if (saliency.size === 0) return tf.zeros(saliency.shape);
    const ranked = rankChannels(saliency);
    const rank = tf.range(0, saliency.shape[1], 1, 'int32').expandDims(0);
    const keep = tf.logicalAnd(
      tf.less(rank, tf.scalar(count, 'int32')),
      tf.greater(ranked.sorted, deadSaliency),
    );
    return maskFromRanks(keep as Tensor2D, ranked, minActive);
  },
);
