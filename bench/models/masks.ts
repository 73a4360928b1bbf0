/** Random masks of one density for all layers, and the density that leaves out a given share of the MACs. */
import type * as tf from '@tensorflow/tfjs';
import { createRandom, permutation } from '../../src/data/random.js';
import { lower } from '../../src/session/lower.js';
import { RunAccounts } from '../../src/session/macs.js';

export interface MaskSets {
  /** Each [n, maskWidth]. */
  sets: Uint8Array[];
  /** round(density * channels) of each layer are active, at least 1. */
  density: number;
  /** The share of skippable MACs left out, predictors counted, mean over all samples. */
  reduction: number;
}

/** Enough for a mean where the masks of two layers meet (depthwise convolutions). */
const samplesForDensity = 16;

/** Ends the search below the effect of one channel of a thousand. */
const searchSteps = 12;

/**
 * @param model dynamic
 * @param reduction of the skippable MACs, on average over the images; 0 has all channels active
 */
export function randomMaskSets(
  model: tf.LayersModel,
  { reduction, n, count }: { reduction: number; n: number; count: number },
): MaskSets {
  const lowered = lower(model);
  const accounts = new RunAccounts(lowered);
  const channels = lowered.plan.nodes
    .filter(({ predictor }) => predictor !== undefined)
    .map(({ out }) => out.c);
  const reductionOf = (masks: Uint8Array, images: number) => {
    const macs = accounts.count({ masks, n: images }).skippable;
    return 1 - macs.reduce((sum, value) => sum + value, 0) / images / accounts.dense;
  };
  const density = reduction === 0 ? 1 : densityFor(reduction, channels, reductionOf);
  const sets = Array.from({ length: count }, (_, set) => randomMasks(channels, density, n, set));
  const reductions = sets.map((masks) => reductionOf(masks, n));
  return { sets, density, reduction: reductions.reduce((sum, r) => sum + r, 0) / count };
}

function densityFor(
  reduction: number,
  channels: number[],
  reductionOf: (masks: Uint8Array, images: number) => number,
): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < searchSteps; step++) {
    const middle = (low + high) / 2;
    const masks = randomMasks(channels, middle, samplesForDensity, step);
    if (reductionOf(masks, samplesForDensity) > reduction) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** [n, sum of channels]. */
function randomMasks(channels: number[], density: number, n: number, seed: number): Uint8Array {
  const width = channels.reduce((sum, c) => sum + c, 0);
  const masks = new Uint8Array(n * width);
  const random = createRandom(seed);
  let start = 0;
  for (let sample = 0; sample < n; sample++) {
    for (const c of channels) {
      const active = Math.max(1, Math.round(density * c));
      for (const channel of permutation(c, random).subarray(0, active)) masks[start + channel] = 1;
      start += c;
    }
  }
  return masks;
}
