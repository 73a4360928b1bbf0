/** What `fit` tells while it runs. Silent unless a reporter is given. */
import type { EpochEntry, History } from './history.js';

/** Where a run stands after a step. */
export interface StepProgress {
  /** From 0. */
  epoch: number;
  epochs: number;
  /** Steps done in this epoch, and how many it has. */
  step: number;
  stepsPerEpoch: number;
  /** Steps done in the whole run. */
  totalSteps: number;
  learningRate: number;
  imagesPerSecond: number;
  /** Seconds until the last epoch's last step at this speed, evaluations not included. */
  secondsLeft: number;
  /** Means over this epoch so far; missing until the first values have been read from the device. */
  loss?: number;
  accuracy?: number;
}

/** Callbacks of `fit`, all optional. They run between steps and must not throw. */
export interface Reporter {
  onStart?(start: { epochs: number; stepsPerEpoch: number; resumedAtStep: number }): void;
  onStep?(progress: StepProgress): void;
  onEpoch?(entry: EpochEntry): void;
  /** A checkpoint is complete on the disk. */
  onCheckpoint?(folder: string): void;
  /** Something was wrong, but training goes on: a damaged checkpoint was skipped. */
  onWarning?(message: string): void;
  /** Also after an interruption, not after an error. */
  onEnd?(history: History): void;
  /** Instead of `onEnd`: `fit` is about to throw this. */
  onError?(error: unknown): void;
}
