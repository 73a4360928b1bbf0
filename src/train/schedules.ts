/** Learning rate schedules: pure functions of the step, so that a resumed run continues exactly. */
import { check } from '../errors.js';
import { checkRange, ranges } from './ranges.js';

/**
 * The learning rate of a step.
 * @param step steps done so far, from 0
 * @param stepsPerEpoch batches in one pass over the training data
 */
export type Schedule = (step: number, stepsPerEpoch: number) => number;

function checkRate(name: string, rate: number): void {
  checkRange(name, 'learning rate', rate, ranges.learningRate);
}

/** The same rate at every step. */
export function constantSchedule(rate: number): Schedule {
  checkRate('constantSchedule', rate);
  return () => rate;
}

export interface StepScheduleOptions {
  /** Epochs (from 0) from whose start on the rate is multiplied once more, ascending. */
  milestones: readonly number[];
  /** Default 0.1. */
  factor?: number;
}

/** `rate * factor ** (milestones passed)`. The paper's: factor 0.1 at epochs 81, 122 and 151 of 200. */
export function stepSchedule(
  rate: number,
  { milestones, factor = 0.1 }: StepScheduleOptions,
): Schedule {
  checkRate('stepSchedule', rate);
  check(factor > 0, () => `stepSchedule: factor must be > 0, got ${factor}`);
  check(
    milestones.every((epoch, i) => epoch >= 0 && (i === 0 || epoch > milestones[i - 1])),
    () => `stepSchedule: milestones must be ascending epochs >= 0, got [${milestones}]`,
  );
  const sorted = [...milestones];
  return (step, stepsPerEpoch) =>
    rate * factor ** sorted.filter((epoch) => step >= epoch * stepsPerEpoch).length;
}

export interface CosineScheduleOptions {
  /** Epochs until `finalRate` is reached, warm-up included. */
  epochs: number;
  /** Epochs of linear rise to `rate`, default 0. The first step already has a rate above 0. */
  warmupEpochs?: number;
  /** Default 0. */
  finalRate?: number;
}

/** Linear warm-up, then half a cosine from `rate` down to `finalRate`, which holds afterwards. */
export function cosineSchedule(
  rate: number,
  { epochs, warmupEpochs = 0, finalRate = 0 }: CosineScheduleOptions,
): Schedule {
  checkRate('cosineSchedule', rate);
  checkRate('cosineSchedule', finalRate);
  check(
    epochs > 0 && warmupEpochs >= 0 && warmupEpochs < epochs,
    () =>
      `cosineSchedule: 0 <= warmupEpochs < epochs expected, got warmupEpochs ${warmupEpochs}, epochs ${epochs}`,
  );
  return (step, stepsPerEpoch) => {
    const warmup = warmupEpochs * stepsPerEpoch;
    if (step < warmup) return (rate * (step + 1)) / warmup;
    const progress = Math.min(1, (step - warmup) / (epochs * stepsPerEpoch - warmup));
    return finalRate + ((rate - finalRate) * (1 + Math.cos(Math.PI * progress))) / 2;
  };
}

export interface OneCycleScheduleOptions {
  /** Length of the whole cycle in epochs. */
  epochs: number;
  /** Share of the cycle in which the rate rises, default 0.3. */
  rise?: number;
  /** Rate of the first step as a share of `rate`, default 0.04. */
  start?: number;
}

/** Linear from `start * rate` up to `rate`, then linear down to 0 at the end of the cycle. */
export function oneCycleSchedule(
  rate: number,
  { epochs, rise = 0.3, start = 0.04 }: OneCycleScheduleOptions,
): Schedule {
  checkRate('oneCycleSchedule', rate);
  check(
    epochs > 0 && rise > 0 && rise < 1 && start >= 0 && start <= 1,
    () =>
      `oneCycleSchedule: epochs > 0, 0 < rise < 1 and 0 <= start <= 1 expected, got ${epochs}, ${rise}, ${start}`,
  );
  return (step, stepsPerEpoch) => {
    const progress = Math.min(1, step / (epochs * stepsPerEpoch));
    const share =
      progress < rise ? start + ((1 - start) * progress) / rise : (1 - progress) / (1 - rise);
    return rate * share;
  };
}
