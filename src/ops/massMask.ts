import * as tf from '@tensorflow/tfjs';
import type { Tensor2D } from '@tensorflow/tfjs';
import type { MassMaskAttrs } from '../backend/kernels/masks.js';
import { check } from '../errors.js';
import { checkInteger, checkOneOf, checkTensor } from './checks.js';
import { maskFromRanks, rankChannels } from './rankChannels.js';
import { registerComposite, runOp, withoutGradient } from './runOp.js';

export interface MassMaskOptions {
  /** At least this many channels of every sample are active, the most salient first. Default 1. */
  minActive?: number;
  /** Whether the channel with which the cumulative saliency exceeds `mass` is active. Default 'exclude'. */
  crossing?: 'exclude' | 'include';
}

/** Slack of the comparison with `mass`, and the share below which a channel is dead when `mass` is 1. */
const massTolerance = 1e-5;

/**
 * The self-supervised target of a mask predictor: per sample, the most salient channels that together hold the share
 * `mass` of the sample's saliency. How many that are differs from sample to sample.
 *
 * With the saliency sorted in descending order (among equals the lower channel first) and `total` its sum, the leading
 * channels are active while their cumulative sum is at most `(mass + 1e-5) * total`. `mass = 1` keeps every channel above
 * `1e-5 * total`; `mass < 0` keeps all. With `crossing: 'include'` the next channel is active as well. NaN and negative
 * saliencies count as 0 (dead: never active by mass), those above 1e30, +Inf included, as 1e30. Sums are sequential and
 * in float32, so `native` and `cpu` give the same mask. The mask is a constant: no gradient.
 *
 * Source: FTWT (arXiv 2110.08232), section 3.2, and the authors' code, which has no `minActive` and excludes the crossing.
 * @param saliency [N, C], e.g. of `channelSaliency`
 * @param mass in (0, 1], or negative to keep all channels
 * @returns targetMask [N, C], float32 of 0 and 1
 * @throws FtwtError INVALID_ARGUMENT
 */
export function massMask(
  saliency: Tensor2D,
  mass: number,
  { minActive = 1, crossing = 'exclude' }: MassMaskOptions = {},
): Tensor2D {
  checkTensor('massMask', 'saliency', saliency, '[N, C]');
  check(
    mass < 0 || (mass > 0 && mass <= 1),
    () => `massMask: mass must be in (0, 1], or negative to keep all, got ${String(mass)}`,
  );
  checkInteger('massMask', 'minActive', minActive, 0);
  checkOneOf('massMask', 'crossing', crossing, ['exclude', 'include']);
  const attrs: MassMaskAttrs = { mass, minActive, crossing };
  return withoutGradient(() => runOp('MassMask', { saliency }, attrs));
}

registerComposite<{ saliency: Tensor2D }, MassMaskAttrs>(
  'MassMask',
  ({ saliency }, { mass, minActive, crossing }) => {
    if (saliency.size === 0) return tf.zeros(saliency.shape);
    if (mass < 0) return tf.ones(saliency.shape);
    const ranked = rankChannels(saliency);
    const { sorted } = ranked;
    const [n, c] = sorted.shape;
    const sums = tf.cumsum(sorted, 1);
    const total = tf.slice(sums, [0, c - 1], [n, 1]);
    let keep: tf.Tensor;
    if (mass === 1) {
      keep = tf.greater(sorted, tf.mul(total, massTolerance));
    } else {
      const reached = crossing === 'include' ? tf.cumsum(sorted, 1, true) : sums;
      const withinMass = tf.lessEqual(reached, tf.mul(total, mass + massTolerance));
      keep = tf.logicalAnd(withinMass, tf.greater(sorted, 0));
    }
    return maskFromRanks(keep as Tensor2D, ranked, minActive);
  },
);
