/** Adds up what masks save over many images. */
import { check } from '../errors.js';
import type { CountedLayer, MacsPair, SampleMasks } from './accounting.js';
import type { LayerKind } from './macs.js';

/** What one layer did, as a mean over images. */
export interface LayerActivity {
  name: string;
  kind: LayerKind;
  /** Output channels. */
  channels: number;
  /** Active channels / all channels; 1 for layers without a mask. */
  keepRatio: number;
  /** With all channels computed, without the predictor. */
  macs: number;
  dynamicMacs: MacsPair;
  /** For each channel the share of images in which it is active; for layers with a mask. */
  firingRate?: number[];
  /** [classes][channels]: the same by class (0 for classes without images); where labels were given. */
  classFiringRate?: number[][];
}

export interface MacsSummary {
  /** How many images. */
  samples: number;
  /** Per image, all channels computed. */
  denseMacs: number;
  /** Per image, mean. */
  dynamicMacs: MacsPair;
  /** 1 - dynamicMacs / denseMacs, both kinds: every speed claim stands beside `skippable`. */
  macsReduction: MacsPair;
  /** All layers that cost something, in topological order. */
  layers: LayerActivity[];
}

/** MACs of each image of a batch. */
export interface SampleMacs {
  published: Float64Array;
  skippable: Float64Array;
}

export class MacsTally {
  private samples = 0;
  private readonly sums: MacsPair[];
  /** For every mask [classes + 1, C]: in how many images a channel was active; the last row is all images. */
  private readonly fired: Float64Array[];
  private readonly classSizes: Float64Array;
  private labelled = false;

  constructor(
    private readonly layers: CountedLayer[],
    private readonly maskSizes: number[],
    private readonly classes: number,
  ) {
    this.sums = layers.map(() => ({ published: 0, skippable: 0 }));
    this.fired = maskSizes.map((size) => new Float64Array((classes + 1) * size));
    this.classSizes = new Float64Array(classes);
  }

  /**
   * @param masks for every mask [n, C] of 0 and 1
   * @param labels [n]
   */
  add(masks: ArrayLike<number>[], n: number, labels?: ArrayLike<number>): SampleMacs {
    this.checkLabels(n, labels);
    const result = { published: new Float64Array(n), skippable: new Float64Array(n) };
    for (let sample = 0; sample < n; sample++) {
      this.countFiring(masks, sample, labels?.[sample]);
      const sampleMasks = this.sampleMasks(masks, sample);
      this.layers.forEach((layer, i) => {
        const { published, skippable } = layer.cost(sampleMasks);
        this.sums[i].published += published;
        this.sums[i].skippable += skippable;
        result.published[sample] += published;
        result.skippable[sample] += skippable;
      });
    }
    this.samples += n;
    return result;
  }

  /** @throws FtwtError INVALID_ARGUMENT before the first image */
  summary(): MacsSummary {
    check(this.samples > 0, () => 'MacsMeter: there is no image to report on; call add first');
    const mean = (pick: (pair: MacsPair) => number) =>
      this.sums.reduce((total, pair) => total + pick(pair), 0) / this.samples;
    const denseMacs = this.layers.reduce((total, { macs }) => total + macs, 0);
    const published = mean((pair) => pair.published);
    const skippable = mean((pair) => pair.skippable);
    return {
      samples: this.samples,
      denseMacs,
      dynamicMacs: { published, skippable },
      macsReduction: { published: 1 - published / denseMacs, skippable: 1 - skippable / denseMacs },
      layers: this.layers.map((layer, i) => this.activity(layer, this.sums[i])),
    };
  }

  private activity(
    { name, kind, channels, macs, mask }: CountedLayer,
    sum: MacsPair,
  ): LayerActivity {
    const dynamicMacs = {
      published: sum.published / this.samples,
      skippable: sum.skippable / this.samples,
    };
    const activity = { name, kind, channels, keepRatio: 1, macs, dynamicMacs };
    if (mask === undefined) return activity;
    const row = (index: number, images: number) =>
      Array.from(this.fired[mask].subarray(index * channels, (index + 1) * channels), (count) =>
        images === 0 ? 0 : count / images,
      );
    const firingRate = row(this.classes, this.samples);
    const keepRatio = firingRate.reduce((total, rate) => total + rate, 0) / channels;
    if (!this.labelled) return { ...activity, keepRatio, firingRate };
    const classFiringRate = Array.from(this.classSizes, (size, label) => row(label, size));
    return { ...activity, keepRatio, firingRate, classFiringRate };
  }

  private countFiring(masks: ArrayLike<number>[], sample: number, label: number | undefined): void {
    this.maskSizes.forEach((size, mask) => {
      const fired = this.fired[mask];
      for (let channel = 0; channel < size; channel++) {
        const active = masks[mask][sample * size + channel];
        fired[this.classes * size + channel] += active;
        if (label !== undefined) fired[label * size + channel] += active;
      }
    });
    if (label === undefined) return;
    this.classSizes[label]++;
    this.labelled = true;
  }

  private sampleMasks(masks: ArrayLike<number>[], sample: number): SampleMasks {
    const counts = this.maskSizes.map((size, mask) => {
      let count = 0;
      for (let channel = 0; channel < size; channel++)
        count += masks[mask][sample * size + channel];
      return count;
    });
    return {
      activeCount: (mask) => counts[mask],
      isActive: (mask, channel) => masks[mask][sample * this.maskSizes[mask] + channel] > 0,
    };
  }

  private checkLabels(n: number, labels: ArrayLike<number> | undefined): void {
    if (labels === undefined) return;
    check(labels.length === n, () => `MacsMeter: expected ${n} labels, got ${labels.length}`);
    const bad = Array.from(labels).find((l) => !Number.isInteger(l) || l < 0 || l >= this.classes);
    check(
      bad === undefined,
      () => `MacsMeter: labels must be integers from 0 to ${this.classes - 1}, got ${bad}`,
    );
  }
}
