/** The custom ops: on every tfjs backend, with gradients. */
export {
  batchNormTraining,
  type BatchNormTrainingOptions,
  type BatchNormTrainingResult,
} from './batchNormTraining.js';
export { binarize } from './binarize.js';
export { channelSaliency } from './channelSaliency.js';
export { channelSparseConv2d, type ChannelSparseConv2dOptions } from './channelSparseConv2d.js';
export { maskPredictor, type MaskPredictorOptions } from './maskPredictor.js';
export { massMask, type MassMaskOptions } from './massMask.js';
export { sgdMomentumUpdate, type SgdMomentumUpdateOptions } from './sgdMomentum.js';
export { stopGradient } from './stopGradient.js';
export { topKMask, type TopKMaskOptions } from './topKMask.js';
