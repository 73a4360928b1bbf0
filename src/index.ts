/**
 * Dynamic channel pruning for convolutional networks in TensorFlow.js.
 * @packageDocumentation
 */
import { registerNativeBackend } from './backend/register.js';

registerNativeBackend();

export { FtwtError, type FtwtErrorCode } from './errors.js';
export { deviceInfo, setThreads } from './binding.js';
export * from './ops/index.js';
export * from './data/index.js';
