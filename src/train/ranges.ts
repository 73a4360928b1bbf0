/** Which numbers the settings of a training run may be: one rule for `fit`, its parts and the command line. */
import { check } from '../errors.js';

export interface Range {
  /** Completes "must be" and "expected". */
  readonly text: string;
  contains(value: number): boolean;
}

const integerFrom = (least: number): Range => ({
  text: `an integer >= ${least}`,
  contains: (value) => Number.isSafeInteger(value) && value >= least,
});

const nonNegative: Range = {
  text: 'a finite number >= 0',
  contains: (value) => Number.isFinite(value) && value >= 0,
};

const belowOne: Range = {
  text: 'a number in [0, 1)',
  contains: (value) => Number.isFinite(value) && value >= 0 && value < 1,
};

const upToOne: Range = {
  text: 'a number from 0 to 1',
  contains: (value) => Number.isFinite(value) && value >= 0 && value <= 1,
};

/** For whatever is counted. */
export const atLeastOne = integerFrom(1);

/** By the names of `FitOptions`. */
export const ranges = {
  epochs: atLeastOne,
  batchSize: atLeastOne,
  learningRate: nonNegative,
  momentum: belowOne,
  weightDecay: nonNegative,
  labelSmoothing: belowOne,
  predictorLearningRate: nonNegative,
  maskWeight: nonNegative,
  cooldown: upToOne,
  seed: integerFrom(0),
  evaluateEvery: integerFrom(0),
  evaluateBatchSize: atLeastOne,
} satisfies Record<string, Range>;

export type RangedSetting = keyof typeof ranges;

/** @throws FtwtError INVALID_ARGUMENT unless `value`, called `name`, is in `range` */
export function checkRange(caller: string, name: string, value: number, range: Range): void {
  check(range.contains(value), () => `${caller}: ${name} must be ${range.text}, got ${value}`);
}
