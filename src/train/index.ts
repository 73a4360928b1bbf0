export { crossEntropy, maskLoss, type CrossEntropyOptions, type MaskPrediction } from './losses.js';
export { loadModel, saveModel } from './modelIo.js';
export { SgdMomentum, type ParameterGroup, type SgdMomentumOptions } from './optimizer.js';
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
