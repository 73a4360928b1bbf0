export { planToOnnx, toOnnx } from './onnx.js';
