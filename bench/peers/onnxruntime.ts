/** The ONNX Runtime of `npm run bench:peers`. */
import type * as tf from '@tensorflow/tfjs';
import { loadOnnxRuntime, openOnnx as open } from '../../src/timing/onnxruntime.js';
import type { OnnxModel, OnnxOptions } from '../../src/timing/onnxruntime.js';
import { peersFolder } from './load.js';

/**
 * @param model a model, or the bytes of an ONNX file that `toOnnx` wrote
 * @throws Error when onnxruntime-node is not installed
 */
export async function openOnnx(
  model: tf.LayersModel | Uint8Array,
  options: OnnxOptions = {},
): Promise<OnnxModel> {
  return open(loadOnnxRuntime([peersFolder]), model, options);
}
