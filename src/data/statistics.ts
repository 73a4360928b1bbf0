/** Per-channel mean and standard deviation, for normalisation. */
import { checkSplit } from './split.js';
import type { Split } from './types.js';

/** Per channel, in units of [0, 1] (bytes divided by 255). */
export interface ChannelStatistics {
  mean: number[];
  std: number[];
}

/**
 * Mean and (population) standard deviation of every channel over all images and pixels, exact up to one
 * rounding: sums run over byte histograms. A constant channel gets std 1, so that normalising by it stays finite.
 * @throws FtwtError INVALID_ARGUMENT for an empty or inconsistent split
 */
export function channelStatistics(split: Split): ChannelStatistics {
  checkSplit(split, 'channelStatistics');
  const channels = split.shape[2];
  const { images } = split;
  const histogram = new Float64Array(channels * 256);
  for (let i = 0, channel = 0; i < images.length; i++) {
    histogram[channel * 256 + images[i]]++;
    if (++channel === channels) channel = 0;
  }
  const pixels = images.length / channels;
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const counts = histogram.subarray(channel * 256, (channel + 1) * 256);
    const sum = counts.reduce((total, count, value) => total + count * value, 0);
    const centre = sum / pixels;
    const squares = counts.reduce((total, count, v) => total + count * (v - centre) ** 2, 0);
    mean.push(centre / 255);
    std.push(squares > 0 ? Math.sqrt(squares / pixels) / 255 : 1);
  }
  return { mean, std };
}
