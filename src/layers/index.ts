export { batchNormalization, type BatchNormalizationConfig } from './batchNormalization.js';
export { dynamicConv2d, type DynamicConv2dConfig } from './dynamicConv2d.js';
export {
  dynamicDepthwiseConv2d,
  type DynamicDepthwiseConv2dConfig,
} from './dynamicDepthwiseConv2d.js';
export { DynamicLayer, type DynamicLayerConfig } from './dynamicLayer.js';
export type { DynamicOptions, TargetRule } from './dynamicOptions.js';
