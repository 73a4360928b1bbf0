/** Training, evaluation, and models on disk. */
export { calibrationBatch } from './calibration.js';
export { consoleReporter, type ConsoleReporterOptions } from './consoleReporter.js';
export { evaluate, type EvaluateOptions, type Evaluation } from './evaluate.js';
export { fit } from './fit.js';
export type { EpochEntry, History, LayerMasks, TestScores } from './history.js';
export { crossEntropy, maskLoss, type CrossEntropyOptions, type MaskPrediction } from './losses.js';
export { loadModel, saveModel } from './modelIo.js';
export { SgdMomentum, type ParameterGroup, type OptimizerOptions } from './optimizer.js';
export type { CheckpointOptions, FitOptions } from './options.js';
export type { Reporter, StepProgress } from './reporter.js';
export {
  constantSchedule,
  cosineSchedule,
  oneCycleSchedule,
  stepSchedule,
  type CosineScheduleOptions,
  type OneCycleScheduleOptions,
  type Schedule,
  type StepScheduleOptions,
} from './schedules.js';
