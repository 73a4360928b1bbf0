/** What a dynamic network really computes, measured by its masks on real images. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor4D } from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { recordMasks, type MaskRecord } from '../layers/maskRecorder.js';
import { accountFor } from './accounting.js';
import { checkImages } from './checkImages.js';
import { graphOf } from './graph.js';
import { isDynamic } from './macs.js';
import { MacsTally, type MacsSummary, type SampleMacs } from './tally.js';

/**
 * Accumulates the MACs of a dynamic model over batches, beside an evaluation that runs them anyway.
 * @example
 * const meter = new MacsMeter(model);
 * for (const { x, labels } of batches) {
 *   const { result: logits, records } = recordMasks(() => model.predict(x));
 *   meter.add(records, labels);
 * }
 * meter.summary().macsReduction.skippable;
 */
export class MacsMeter {
  private readonly dynamicLayers: tf.layers.Layer[];
  private readonly maskSizes: number[];
  private readonly tally: MacsTally;

  /** @throws FtwtError INVALID_ARGUMENT if no layer of the model is dynamic, or one cannot be counted */
  constructor(model: tf.LayersModel) {
    const graph = graphOf(model, 'MacsMeter');
    const nodes = graph.nodes.filter(({ layer }) => isDynamic(layer));
    check(
      nodes.length > 0,
      () => `MacsMeter: model "${model.name}" has no dynamic layer; see makeDynamic`,
    );
    this.dynamicLayers = nodes.map(({ layer }) => layer);
    this.maskSizes = nodes.map(({ outputs }) => outputs[0].shape[3]!);
    const masked = nodes.map((node) => ({ node, output: node.outputs[0] }));
    const layers = accountFor(graph, masked, 'MacsMeter');
    this.tally = new MacsTally(layers, this.maskSizes, model.outputs[0].shape.at(-1) ?? 1);
  }

  /**
   * Adds the images of one forward pass. Waits for the device (reads the masks); the records stay the caller's.
   * @param records of `recordMasks` around one `predict` or `apply` of the model
   * @param labels [n], for firing rates by class
   * @returns MACs of each image
   * @throws FtwtError INVALID_ARGUMENT where the records are not those of this model
   */
  add(records: MaskRecord[], labels?: ArrayLike<number>): SampleMacs {
    // `predict` splits large batches: each layer may have several records, in the order of the images.
    const masks = this.dynamicLayers.map((layer) => {
      const parts = records.filter((record) => record.layer === layer);
      check(
        parts.length > 0,
        () =>
          `MacsMeter: no mask of layer "${layer.name}"; record a forward pass of the measured model`,
      );
      return concatenated(parts.map(({ mask }) => mask.dataSync<'float32'>()));
    });
    const n = masks[0].length / this.maskSizes[0];
    return this.tally.add(masks, n, labels);
  }

  /** @throws FtwtError INVALID_ARGUMENT before the first image */
  summary(): MacsSummary {
    return this.tally.summary();
  }
}

export interface MacsMeasurement extends MacsSummary {
  /** MACs of each image. */
  perSample: SampleMacs;
}

export interface MeasureMacsOptions {
  /** [N], for firing rates by class. */
  labels?: ArrayLike<number>;
  /** Images at a time; default 64. */
  batchSize?: number;
}

/**
 * Runs a dynamic model on images and counts what its masks leave to compute. Waits for the device.
 * @param x images [N, h, w, c]
 * @throws FtwtError INVALID_ARGUMENT
 */
export function measureMacs(
  model: tf.LayersModel,
  x: Tensor4D,
  { labels, batchSize = 64 }: MeasureMacsOptions = {},
): MacsMeasurement {
  const meter = new MacsMeter(model);
  checkImages('measureMacs', 'x', x, model);
  check(
    Number.isInteger(batchSize) && batchSize > 0,
    () => `measureMacs: batchSize must be a positive integer, got ${batchSize}`,
  );
  const n = x.shape[0];
  check(
    labels === undefined || labels.length === n,
    () => `measureMacs: expected ${n} labels, got ${labels!.length}`,
  );
  const all = labels === undefined ? undefined : Array.from(labels);
  const parts: SampleMacs[] = [];
  for (let start = 0; start < n; start += batchSize) {
    const count = Math.min(batchSize, n - start);
    tf.tidy(() => {
      const batch = x.slice([start, 0, 0, 0], [count, -1, -1, -1]);
      const { records } = recordMasks(() => model.apply(batch, { training: false }));
      parts.push(meter.add(records, all?.slice(start, start + count)));
    });
  }
  const perSample = {
    published: Float64Array.from(parts.flatMap(({ published }) => Array.from(published))),
    skippable: Float64Array.from(parts.flatMap(({ skippable }) => Array.from(skippable))),
  };
  return { ...meter.summary(), perSample };
}

function concatenated(parts: Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0];
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
