/** ONNX Runtime's CPU provider on a network of ours. */
import type * as tf from '@tensorflow/tfjs';
import { toOnnx } from '../../src/export/index.js';
import { loadPeer } from './load.js';

interface OrtTensor {
  data: Float32Array;
}

interface OrtSession {
  inputMetadata: { shape: (number | string)[] }[];
  run(feeds: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** What is used of onnxruntime-node. */
interface Ort {
  InferenceSession: {
    create(model: Uint8Array, options: Record<string, unknown>): Promise<OrtSession>;
  };
  Tensor: new (type: 'float32', data: Float32Array, shape: number[]) => OrtTensor;
}

export interface OnnxOptions {
  /** Default 1. Its threads spin for some 10 ms after a run: let them, before something else is timed. */
  threads?: number;
  /** Where it is known, ONNX Runtime plans for it; default any. */
  batch?: number;
}

export interface OnnxModel {
  /** @param images [n, h, w, c] @returns [n, ...], row by row */
  run(images: Float32Array, n: number): Promise<Float32Array>;
  release(): Promise<void>;
}

/**
 * @param model a model, or the bytes of an ONNX file that `toOnnx` wrote
 * @throws Error when onnxruntime-node is not installed
 */
export async function openOnnx(
  model: tf.LayersModel | Uint8Array,
  { threads = 1, batch }: OnnxOptions = {},
): Promise<OnnxModel> {
  const ort = loadPeer<Ort>('onnxruntime-node');
  const bytes = model instanceof Uint8Array ? model : toOnnx(model);
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    ...(batch === undefined ? {} : { freeDimensionOverrides: { n: batch } }),
  });
  const shape = session.inputMetadata[0].shape.slice(1) as number[];
  return {
    async run(images, n) {
      const { logits } = await session.run({
        images: new ort.Tensor('float32', images, [n, ...shape]),
      });
      return logits.data;
    },
    release: () => session.release(),
  };
}
