export { batchNormalization, type BatchNormalizationConfig } from './batchNormalization.js';
