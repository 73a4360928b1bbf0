/** What the tests of sessions share: models with scattered weights, and the tfjs model as the oracle. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { compile, recordMasks, type CompileOptions, type RunResult } from '../../src/index.js';
import { uniform } from '../agrees.js';
import { allClose } from '../allClose.js';
import { sessionDevices } from '../devices.js';

/** By the name of a weight: the interval that its values are drawn from. */
function interval(name: string, shape: number[]): [number, number] {
  const spread = Math.sqrt(6 / Math.max(1, tf.util.sizeFromShape(shape.slice(0, -1))));
  const [rows] = shape;
  switch (name) {
    case 'depthwise_kernel':
      return [-1, 1];
    case 'gamma':
      return [0.5, 1.5];
    case 'moving_variance':
      return [0.3, 2];
    case 'predictor_kernel':
      return [-Math.sqrt(rows), Math.sqrt(rows)];
    case 'predictor_bias':
      return [-0.3, 0.3];
    case 'kernel':
    case 'pointwise_kernel':
      return [-spread, spread];
    default:
      return [-0.5, 0.5];
  }
}

/** Gives every weight of a model reproducible values; masks then differ from image to image. */
export function scatter<T extends tf.LayersModel>(model: T, seed = 1): T {
  tf.tidy(() =>
    model.weights.forEach((weight, i) => {
      const shape = weight.shape as number[];
      const name = weight.originalName.split('/').at(-1)!;
      weight.write(uniform(shape, ...interval(name, shape), seed * 7919 + i));
    }),
  );
  return model;
}

/** Images [n, ...] in [-1, 1) as a model takes them. */
export function images(model: tf.LayersModel, n: number, seed = 5): tf.Tensor {
  return uniform([n, ...(model.inputs[0].shape.slice(1) as number[])], -1, 1, seed);
}

export interface Expected {
  logits: Float32Array;
  shape: number[];
  /** By the name of a dynamic layer, [n, c]. */
  masks: Map<string, number[]>;
  maskLogits: Map<string, Float32Array>;
}

/** What the tfjs model says. */
export function predict(model: tf.LayersModel, x: tf.Tensor): Expected {
  const [logits, masks, maskLogits] = [new Float32Array(), new Map(), new Map()];
  const expected: Expected = { logits, shape: [], masks, maskLogits };
  tf.tidy(() => {
    const { result, records } = recordMasks(() => model.apply(x, { training: false }) as tf.Tensor);
    expected.logits = result.dataSync<'float32'>().slice();
    expected.shape = result.shape;
    for (const { layer, mask, maskLogits } of records) {
      expected.masks.set(layer.name, [...mask.dataSync()]);
      expected.maskLogits.set(layer.name, maskLogits.dataSync<'float32'>().slice());
    }
  });
  return expected;
}

/** The same of a session's run with `masks: true`. */
export function masksOf(
  { masks, batch }: RunResult,
  layers: readonly { name: string; channels: number; maskOffset: number }[],
  maskWidth: number,
): Map<string, number[]> {
  return new Map(
    layers.map(({ name, channels, maskOffset }) => [
      name,
      Array.from({ length: batch }, (_, n) => {
        const start = n * maskWidth + maskOffset;
        return [...masks!.subarray(start, start + channels)];
      }).flat(),
    ]),
  );
}

/** Asserts that logits agree to 1e-4 of the largest. */
export function closeLogits(actual: Float32Array, expected: Float32Array, label: string): void {
  const finite = expected.filter((value) => Number.isFinite(value));
  const largest = finite.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  allClose(actual, expected, { absolute: 1e-4 * largest, relative: 0 }, label);
}

/** Of the emulator, which takes its time. */
const largestEmulatedBatch = 3;

/**
 * Asserts that a compiled model gives the tfjs model's shape, logits and masks, for batches of the given sizes.
 * @param options without a device: on every one
 */
export function sessionAgrees(
  label: string,
  model: tf.LayersModel,
  batches = [1, 3],
  options: CompileOptions = {},
): void {
  const expected = batches.map((n) => {
    const x = images(model, n);
    return { x, ...predict(model, x) };
  });
  for (const device of options.device === undefined ? sessionDevices() : [options.device]) {
    const most = device === 'emulator' ? largestEmulatedBatch : Infinity;
    const chosen = expected.filter((_, i) => batches[i] <= most);
    agreesOnce(`${label} on ${device}`, model, chosen, { ...options, device });
  }
  expected.forEach(({ x }) => x.dispose());
}

function agreesOnce(
  label: string,
  model: tf.LayersModel,
  batches: (Expected & { x: tf.Tensor })[],
  options: CompileOptions,
): void {
  const maxBatch = Math.max(...batches.map(({ x }) => x.shape[0]));
  const session = compile(model, { maxBatch, measure: false, ...options });
  try {
    for (const { x, ...expected } of batches) {
      const result = session.run(x, { masks: true });
      const text = `${label}, batch ${x.shape[0]}`;
      assert.deepEqual(result.shape, expected.shape, text);
      const masks = masksOf(result, session.dynamicLayers, session.maskWidth);
      assert.deepEqual(sorted(masks), sorted(expected.masks), text);
      closeLogits(result.logits, expected.logits, text);
    }
  } finally {
    session.dispose();
  }
}

function sorted<T>(map: Map<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A model of one input and the layers that `body` applies, with scattered weights. */
export function modelOf(
  shape: number[],
  body: (x: tf.SymbolicTensor) => tf.SymbolicTensor,
): tf.LayersModel {
  const input = tf.input({ shape });
  return scatter(tf.model({ inputs: input, outputs: body(input) }));
}

/** Applies layers one after the other. */
export function chain(...layers: tf.layers.Layer[]): (x: tf.SymbolicTensor) => tf.SymbolicTensor {
  return (x) => layers.reduce((y, layer) => layer.apply(y) as tf.SymbolicTensor, x);
}
