/**
 * Dynamic channel pruning for convolutional networks in TensorFlow.js.
 * @packageDocumentation
 */
import { registerBackends } from './backend/register.js';
import { registerFileRouter } from './train/fileRouter.js';

registerBackends();
registerFileRouter();

export { FtwtError, type FtwtErrorCode } from './errors.js';
export { deviceInfo, setThreads, type Precision } from './binding.js';
export { setDevice, setPrecision } from './backend/device.js';
export * from './ops/index.js';
export * from './data/index.js';
export * from './train/index.js';
export * as layers from './layers/index.js';
export { isPredictorWeight } from './layers/predictorWeights.js';
export { recordMasks, type MaskRecord } from './layers/maskRecorder.js';
export type { DynamicOptions, TargetRule } from './layers/dynamicOptions.js';
export * from './models/index.js';
export * from './pruning/index.js';
export * from './session/index.js';
export { toOnnx } from './export/index.js';
