/** ONNX Runtime's CPU provider on a network of ours, where onnxruntime-node is installed: this package does without it. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { FtwtError } from '../errors.js';
import { toOnnx } from '../export/index.js';

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

export interface OnnxRuntime {
  version: string;
  ort: Ort;
}

const name = 'onnxruntime-node';

/**
 * Loads onnxruntime-node from the first folder from which it can be required.
 * @throws FtwtError NOT_FOUND where there is none, or the one that is there does not load: how to get it, and why
 */
export function loadOnnxRuntime(folders: readonly string[]): OnnxRuntime {
  for (const folder of folders) {
    const requireThere = createRequire(join(folder, 'package.json'));
    const version = versionOf(requireThere);
    if (version === undefined) continue;
    try {
      return { version, ort: requireThere(name) as Ort };
    } catch (cause) {
      const reason = (cause as Error).message.split('\n')[0];
      throw new FtwtError('NOT_FOUND', `${name} ${version} does not load: ${reason}`, { cause });
    }
  }
  throw new FtwtError(
    'NOT_FOUND',
    `${name} is not installed: npm install --no-save --ignore-scripts ${name}`,
  );
}

function versionOf(requireThere: NodeJS.Require): string | undefined {
  try {
    return (requireThere(`${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
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

/** @param model a model, or the bytes of an ONNX file that `toOnnx` wrote */
export async function openOnnx(
  { ort }: OnnxRuntime,
  model: tf.LayersModel | Uint8Array,
  { threads = 1, batch }: OnnxOptions = {},
): Promise<OnnxModel> {
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
