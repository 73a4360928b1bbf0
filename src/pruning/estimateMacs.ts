/** What dynamic pruning would save, before any dynamic training: the target-mask rule on the dense model. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { check, FtwtError } from '../errors.js';
import { fullTargetRule, targetMaskOf, type TargetRule } from '../layers/dynamicOptions.js';
import { channelSaliency } from '../ops/index.js';
import { accountFor, type CountedLayer, type MacsPair } from './accounting.js';
import { findBlocks, type Block } from './blocks.js';
import { checkImages } from './checkImages.js';
import { fixedShape, graphOf } from './graph.js';
import { product } from './macs.js';
import { MacsTally, type MacsSummary } from './tally.js';

export interface EstimateMacsOptions extends TargetRule {
  /** Which convolutions would become dynamic; default all. See `makeDynamic`. */
  include?: (layer: tf.layers.Layer) => boolean;
  /** [N], for firing rates by class. */
  labels?: ArrayLike<number>;
}

/** What `estimateMacs` predicts, and the rule it predicts it for. */
export interface MacsEstimate extends MacsSummary {
  mass?: number;
  keepRatio?: number;
}

/**
 * Predicts both MACs reductions that a dynamic version of a trained dense model will have, by applying the target-mask
 * rule to the dense activations of some images. Waits for the device; needs memory for 64 images at most at a time.
 * @param calibrationBatch images as the model sees them in training, [N, h, w, c]; a few hundred do
 * @throws FtwtError INVALID_ARGUMENT naming the option, or the layer that is not supported (see `makeDynamic`)
 */
export function estimateMacs(
  model: tf.LayersModel,
  calibrationBatch: Tensor4D,
  options: EstimateMacsOptions,
): MacsEstimate {
  const { include, labels, ...rule } = options ?? {};
  fullTargetRule(rule, 'estimateMacs');
  const calibration = new Calibration('estimateMacs', model, calibrationBatch, include);
  try {
    return calibration.estimate(rule, labels);
  } finally {
    calibration.dispose();
  }
}

export interface MassForBudgetOptions extends Omit<EstimateMacsOptions, 'mass' | 'keepRatio'> {
  /** The wanted MACs reduction, in (0, 1). */
  reduction: number;
  /** Which reduction; default 'skippable'. */
  metric?: keyof MacsPair;
}

export interface MassForBudget {
  /** To train with; a multiple of 0.0001. */
  mass: number;
  estimate: MacsEstimate;
}

const massSteps = 10_000;

/**
 * Finds the largest mass whose estimated reduction is at least the wanted one, by bisection.
 * @param calibrationBatch see `estimateMacs`
 * @throws FtwtError INVALID_ARGUMENT, also where no mass saves that much (each image keeps `minActive` channels a layer)
 */
export function massForBudget(
  model: tf.LayersModel,
  calibrationBatch: Tensor4D,
  options: MassForBudgetOptions,
): MassForBudget {
  const { reduction, metric = 'skippable', include, labels, ...rule } = options ?? {};
  check(
    reduction > 0 && reduction < 1,
    () => `massForBudget: reduction must be in (0, 1), got ${reduction}`,
  );
  check(
    metric === 'skippable' || metric === 'published',
    () => `massForBudget: metric must be skippable or published, got ${String(metric)}`,
  );
  fullTargetRule({ ...rule, mass: 1 }, 'massForBudget');
  const calibration = new Calibration('massForBudget', model, calibrationBatch, include);
  try {
    const saved = (step: number) =>
      calibration.estimate({ ...rule, mass: step / massSteps }).macsReduction[metric];
    // The reduction falls as the mass grows. `enough` saves enough, `tooFar` does not.
    let [enough, tooFar] = [1, massSteps];
    if (saved(massSteps) >= reduction) {
      enough = massSteps;
    } else if (saved(enough) < reduction) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        `massForBudget: no mass reaches a ${metric} reduction of ${reduction}; the most is ${saved(enough).toFixed(4)}`,
      );
    }
    while (enough < massSteps && tooFar - enough > 1) {
      const middle = Math.floor((enough + tooFar) / 2);
      if (saved(middle) >= reduction) enough = middle;
      else tooFar = middle;
    }
    const mass = enough / massSteps;
    return { mass, estimate: calibration.estimate({ ...rule, mass }, labels) };
  } finally {
    calibration.dispose();
  }
}

/** A model's layers with the saliencies of their channels in a batch, computed once for any number of estimates. */
class Calibration {
  private readonly layers: CountedLayer[];
  private readonly maskSizes: number[];
  private readonly classes: number;
  /** For every block [N, C]. */
  private readonly saliencies: Tensor2D[];

  constructor(
    caller: string,
    model: tf.LayersModel,
    images: Tensor4D,
    include: EstimateMacsOptions['include'],
  ) {
    const graph = graphOf(model, caller);
    const blocks = findBlocks(graph, caller, include);
    checkImages(caller, 'calibrationBatch', images, model);
    const masked = blocks.map(({ convolution, output }) => ({ node: convolution, output }));
    this.layers = accountFor(graph, masked, caller);
    this.maskSizes = blocks.map(({ output }) => output.shape[3]!);
    this.classes = model.outputs[0].shape.at(-1) ?? 1;
    this.saliencies = salienciesOf(model, blocks, images, caller);
  }

  estimate(rule: TargetRule, labels?: ArrayLike<number>): MacsEstimate {
    const full = fullTargetRule(rule, 'estimateMacs');
    const masks = this.saliencies.map((saliency) =>
      tf.tidy(() => targetMaskOf(saliency, full).dataSync<'float32'>()),
    );
    const tally = new MacsTally(this.layers, this.maskSizes, this.classes);
    tally.add(masks, this.saliencies[0].shape[0], labels);
    const { mass, keepRatio } = rule;
    return { ...(mass == null ? { keepRatio } : { mass }), ...tally.summary() };
  }

  dispose(): void {
    tf.dispose(this.saliencies);
  }
}

const largestChunk = 64;
/** Float32 values of all blocks' outputs that may be alive at a time: 128 MiB. */
const activationBudget = 2 ** 25;

function salienciesOf(
  model: tf.LayersModel,
  blocks: Block[],
  images: Tensor4D,
  caller: string,
): Tensor2D[] {
  const outputs = blocks.map(({ output }) => output);
  // Shares the model's layers; never disposed, because it holds nothing of its own.
  const probe = tf.model({ inputs: model.inputs, outputs });
  const perImage = outputs.reduce((sum, output) => sum + product(fixedShape(output, caller)), 0);
  const chunk = Math.max(1, Math.min(largestChunk, Math.floor(activationBudget / perImage)));
  return tf.tidy(() => {
    const parts: Tensor2D[][] = blocks.map(() => []);
    for (let start = 0; start < images.shape[0]; start += chunk) {
      const count = Math.min(chunk, images.shape[0] - start);
      const saliencies = tf.tidy(() => {
        const batch = images.slice([start, 0, 0, 0], [count, -1, -1, -1]);
        const activations = probe.apply(batch, { training: false }) as Tensor4D | Tensor4D[];
        const list = Array.isArray(activations) ? activations : [activations];
        return list.map((activation) => channelSaliency(activation));
      });
      saliencies.forEach((saliency, i) => parts[i].push(saliency));
    }
    return parts.map((part) => (part.length === 1 ? part[0] : tf.concat2d(part, 0)));
  });
}
