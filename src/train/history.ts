/** What a training run leaves in numbers. */
import type { MacsPair } from '../pruning/index.js';
import type { Evaluation } from './evaluate.js';

/** One masked layer during one epoch of training. */
export interface LayerMasks {
  name: string;
  channels: number;
  /** Mean share of active channels in the predicted masks. */
  keepRatio: number;
  /** Share of channels whose predicted mask equals the target mask. */
  maskAccuracy: number;
}

/** What an entry keeps of an evaluation. */
export interface TestScores extends Pick<Evaluation, 'accuracy' | 'loss' | 'images' | 'seconds'> {
  /** Of a dynamic model whose layers can all be counted. */
  macsReduction?: MacsPair;
}

export function testScores(evaluation: Evaluation): TestScores {
  const { accuracy, loss, images, seconds, macs } = evaluation;
  return { accuracy, loss, images, seconds, ...(macs && { macsReduction: macs.macsReduction }) };
}

export interface EpochEntry {
  /** From 0. */
  epoch: number;
  /** Steps of the whole run at the end of this epoch. */
  step: number;
  /** Means over the images of the epoch: everything that was minimised, and its two main parts. */
  loss: number;
  taskLoss: number;
  /** 0 for a model without masks. */
  maskLoss: number;
  /** Running accuracy over the (augmented) training images, 0 to 1. */
  trainAccuracy: number;
  /** On the test split; missing in epochs without evaluation. */
  test?: TestScores;
  /** Of the epoch's last step. */
  learningRate: number;
  /** Training only, without evaluation and checkpoints. */
  seconds: number;
  imagesPerSecond: number;
  /** One per masked layer, in the order of computation; empty for a model without masks. */
  layers: LayerMasks[];
}

export interface History {
  epochs: EpochEntry[];
  /** Steps done in the whole run, before a resume included. */
  steps: number;
  /** True if the signal stopped the run before its last epoch was complete. */
  interrupted: boolean;
  /** Per channel, in units of [0, 1]: how images were normalised. */
  mean: number[];
  std: number[];
}

/** Sums over the steps of an unfinished epoch, in double precision; part of a checkpoint. */
export interface EpochTotals {
  images: number;
  seconds: number;
  loss: number;
  taskLoss: number;
  maskLoss: number;
  correct: number;
  layers: LayerMasks[]; // sums of the two ratios, weighted by images
}

export function emptyTotals(): EpochTotals {
  return { images: 0, seconds: 0, loss: 0, taskLoss: 0, maskLoss: 0, correct: 0, layers: [] };
}

/** The metrics of one step, means over its images (`correct`: a count). */
export interface StepMetrics {
  images: number;
  loss: number;
  taskLoss: number;
  maskLoss: number;
  correct: number;
  layers: LayerMasks[];
}

export function addStep(totals: EpochTotals, step: StepMetrics): void {
  const { images } = step;
  totals.images += images;
  totals.loss += step.loss * images;
  totals.taskLoss += step.taskLoss * images;
  totals.maskLoss += step.maskLoss * images;
  totals.correct += step.correct;
  step.layers.forEach((layer, i) => {
    totals.layers[i] ??= { ...layer, keepRatio: 0, maskAccuracy: 0 };
    totals.layers[i].keepRatio += layer.keepRatio * images;
    totals.layers[i].maskAccuracy += layer.maskAccuracy * images;
  });
}

/** The entry of a finished epoch. */
export function summarise(
  totals: EpochTotals,
  rest: Pick<EpochEntry, 'epoch' | 'step' | 'test' | 'learningRate'>,
): EpochEntry {
  const { images, seconds } = totals;
  return {
    ...rest,
    loss: totals.loss / images,
    taskLoss: totals.taskLoss / images,
    maskLoss: totals.maskLoss / images,
    trainAccuracy: totals.correct / images,
    seconds,
    imagesPerSecond: images / seconds,
    layers: totals.layers.map((layer) => ({
      ...layer,
      keepRatio: layer.keepRatio / images,
      maskAccuracy: layer.maskAccuracy / images,
    })),
  };
}
