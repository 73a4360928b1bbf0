/** The settings of a training run: defaults, and every check that can be made before the first step. */
import type * as tf from '@tensorflow/tfjs';
import {
  batches,
  channelStatistics,
  type AugmentOptions,
  type Dataset,
  type Split,
} from '../data/index.js';
import { checkSplit } from '../data/split.js';
import { check } from '../errors.js';
import { checkAlive } from '../pruning/checkAlive.js';
import { atLeastOne, checkRange, ranges, type RangedSetting } from './ranges.js';
import type { Reporter } from './reporter.js';
import { constantSchedule, type Schedule } from './schedules.js';

export interface CheckpointOptions {
  /** Made if missing. Must not hold checkpoints of another run, unless `resume` is set. */
  directory: string;
  /** Default 1. */
  everyEpochs?: number;
  /** Additionally every so many steps; default: only at the end of epochs. */
  everySteps?: number;
  /** How many to keep, default 2. */
  keep?: number;
}

/** Settings of `fit`. Defaults are those of the published CIFAR recipe. */
export interface FitOptions {
  epochs: number;
  /** Default 128. */
  batchSize?: number;
  /** Leave out a last batch of fewer than `batchSize` images. Default false. */
  dropRemainder?: boolean;
  /** Of the backbone. Default 0.1, constant. */
  learningRate?: number | Schedule;
  /** Default 0.9. */
  momentum?: number;
  /** Default false. */
  nesterov?: boolean;
  /** L2, on the backbone only. Default 5e-4. */
  weightDecay?: number;
  /** Whether biases and batch norm's scale and shift decay as well. Default true, as published. */
  decayNorms?: boolean;
  /** Default 0. */
  labelSmoothing?: number;
  /** Constant. Default 0.1. */
  predictorLearningRate?: number;
  /** Weight of the mask loss. Default 1. */
  maskWeight?: number;
  /**
   * Share of the epochs, from the start, in which the predictors learn. Afterwards they are frozen and the mask loss
   * is only measured. Default 0.5; 1 means never frozen.
   */
  cooldown?: number;
  /** Default: none. */
  augment?: AugmentOptions;
  /** Of order and augmentation; the same seed, threads and starting weights give the same run bit for bit. Default 0. */
  seed?: number;
  /** Per channel, in units of [0, 1]. Default: of the training images. */
  mean?: readonly number[];
  std?: readonly number[];
  /** Epochs between evaluations on the test split; the last epoch always has one. Default 1; 0: never. */
  evaluateEvery?: number;
  /** Default 256. */
  evaluateBatchSize?: number;
  /** Default: none are written. */
  checkpoints?: CheckpointOptions;
  /** Go on from the newest intact checkpoint, or start if there is none. Default false. */
  resume?: boolean;
  /** Stops after the step at work, with a checkpoint if there are any, and `interrupted: true` in the history. */
  signal?: AbortSignal;
  reporter?: Reporter;
}

/** All settings with their defaults in place. */
export interface FitSettings extends Omit<
  Required<FitOptions>,
  'learningRate' | 'checkpoints' | 'signal' | 'reporter'
> {
  learningRate: Schedule;
  stepsPerEpoch: number;
  checkpoints?: Required<CheckpointOptions>;
  signal?: AbortSignal;
  reporter: Reporter;
}

const evaluateBatchSize = 256;

/** @throws FtwtError INVALID_ARGUMENT for whatever could only fail later */
export function resolveOptions(
  model: tf.LayersModel,
  dataset: Dataset,
  options: FitOptions,
): FitSettings {
  checkModel('fit', model, dataset.train);
  checkModel('fit', model, dataset.test);
  checkNumbers(options);
  const { batchSize = 128, dropRemainder = false, learningRate = 0.1 } = options;
  const { train } = dataset;
  check(
    batchSize <= train.count,
    () => `fit: batchSize must be at most the ${train.count} training images, got ${batchSize}`,
  );
  const { mean, std, augment, seed } = options;
  // Nothing is cut yet: this runs the checks on these settings.
  batches(train, { batchSize, mean, std, augment, shuffle: seed });
  const statistics = options.mean && options.std ? undefined : channelStatistics(train);
  return {
    epochs: options.epochs,
    batchSize,
    dropRemainder,
    stepsPerEpoch: dropRemainder
      ? Math.floor(train.count / batchSize)
      : Math.ceil(train.count / batchSize),
    learningRate: typeof learningRate === 'number' ? constantSchedule(learningRate) : learningRate,
    momentum: options.momentum ?? 0.9,
    nesterov: options.nesterov ?? false,
    weightDecay: options.weightDecay ?? 5e-4,
    decayNorms: options.decayNorms ?? true,
    labelSmoothing: options.labelSmoothing ?? 0,
    predictorLearningRate: options.predictorLearningRate ?? 0.1,
    maskWeight: options.maskWeight ?? 1,
    cooldown: options.cooldown ?? 0.5,
    augment: options.augment ?? {},
    seed: options.seed ?? 0,
    mean: options.mean ?? statistics!.mean,
    std: options.std ?? statistics!.std,
    evaluateEvery: options.evaluateEvery ?? 1,
    evaluateBatchSize: options.evaluateBatchSize ?? evaluateBatchSize,
    checkpoints: options.checkpoints && {
      everyEpochs: 1,
      everySteps: 0,
      keep: 2,
      ...options.checkpoints,
    },
    resume: options.resume ?? false,
    signal: options.signal,
    reporter: options.reporter ?? {},
  };
}

/**
 * Checks that a model takes a split's images and has a score for each of its labels.
 * @throws FtwtError INVALID_ARGUMENT
 */
export function checkModel(caller: string, model: tf.LayersModel, split: Split): void {
  checkSplit(split, caller);
  checkAlive(caller, model);
  check(
    model.inputs.length === 1 && model.outputs.length === 1,
    () =>
      `${caller}: the model must have one input and one output, got ${model.inputs.length} and ${model.outputs.length}`,
  );
  const { shape: input } = model.inputs[0];
  check(
    input.length === 4 && input[0] === null,
    () =>
      `${caller}: the model's input must be [batch, h, w, c] with any batch, got [${show(input)}]`,
  );
  check(
    split.shape.every((size, i) => input[i + 1] === null || input[i + 1] === size),
    () => `${caller}: the model takes images of [${show(input.slice(1))}], got [${split.shape}]`,
  );
  const { shape: output } = model.outputs[0];
  const classes = output[1];
  check(
    output.length === 2 && classes !== null,
    () => `${caller}: the model's output must be logits [batch, classes], got [${show(output)}]`,
  );
  const wrong = split.labels.findIndex((label) => label < 0 || label >= classes);
  check(
    wrong < 0,
    () =>
      `${caller}: labels must be in [0, ${classes}), the model's classes, got ${split.labels[wrong]} at index ${wrong}`,
  );
}

function show(shape: readonly (number | null)[]): string {
  return shape.map((size) => size ?? 'any').join(',');
}

function checkNumbers(options: FitOptions): void {
  check(options.epochs !== undefined, () => 'fit: epochs is missing');
  for (const name of Object.keys(ranges) as RangedSetting[]) {
    const value = options[name];
    // What a schedule gives is checked at every step.
    if (value === undefined || typeof value === 'function') continue;
    checkRange('fit', name, value, ranges[name]);
  }
  for (const name of ['everyEpochs', 'everySteps', 'keep'] as const) {
    const value = options.checkpoints?.[name];
    if (value !== undefined) checkRange('fit', `checkpoints.${name}`, value, atLeastOne);
  }
  check(
    !options.resume || options.checkpoints !== undefined,
    () => 'fit: resume needs checkpoints.directory',
  );
}
