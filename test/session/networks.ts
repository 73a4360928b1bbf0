/** What the tests of dynamic sessions share: networks for each device, masks set by hand, counts compared. */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import {
  compile,
  countMacs,
  measureMacs,
  mobilenetV1,
  resnet,
  vggSmall,
  vgg16Bn,
  type Session,
} from '../../src/index.js';
import { sessionDevices } from '../devices.js';
import { images } from './oracle.js';

export const mass = 0.9;

/** Sets the bias of every predictor, which decides alone once the kernels are 0. */
export function setMasks(model: tf.LayersModel, bias: (channel: number) => number): void {
  for (const weight of model.weights) {
    const [length] = weight.shape as number[];
    if (/predictor_kernel$/.test(weight.originalName))
      weight.write(tf.zeros(weight.shape as number[]));
    if (/predictor_bias$/.test(weight.originalName)) {
      weight.write(tf.tensor1d(Array.from({ length }, (_, c) => bias(c))));
    }
  }
}

export const builders: Record<string, () => tf.LayersModel> = {
  vgg16Bn: () => vgg16Bn({ seed: 1 }),
  'resnet 20': () => resnet({ depth: 20, seed: 1 }),
  mobilenetV1: () => mobilenetV1({ seed: 1, alpha: 0.5 }),
  vggSmall: () => vggSmall({ seed: 1, head: 'flatten' }),
};

/** For the emulator, which takes its time. */
const smallBuilders: typeof builders = {
  'resnet 8': () => resnet({ depth: 8, seed: 1 }),
  'mobilenetV1, alpha 0.25': () => mobilenetV1({ seed: 1, alpha: 0.25 }),
  vggSmall: () => vggSmall({ seed: 1, head: 'flatten' }),
};

/** What the builders' tests go through. */
export function* networks(): Generator<{
  label: string;
  build: () => tf.LayersModel;
  device: string;
  /** The largest to try. */
  batch: number;
}> {
  for (const device of sessionDevices()) {
    const emulated = device === 'emulator';
    for (const [name, build] of Object.entries(emulated ? smallBuilders : builders)) {
      yield { label: `${name} on ${device}`, build, device, batch: emulated ? 3 : 8 };
    }
  }
}

export function bitsEqual(actual: Float32Array, expected: Float32Array, label: string): void {
  const bits = (values: Float32Array) => new Uint32Array(values.slice().buffer);
  assert.deepEqual(bits(actual), bits(expected), label);
}

/** Counts and MACs of a run are those of `measureMacs`. */
export function agreesOnMacs(label: string, model: tf.LayersModel, device = 'native'): Session {
  const session = compile(model, { maxBatch: 5, measure: false, device });
  const x = images(model, 5) as tf.Tensor4D;
  const measured = measureMacs(model, x);
  const { macs, activeCounts, masks } = session.run(x, { masks: true });
  assert.equal(macs.dense, measured.denseMacs, label);
  assert.equal(macs.dense, countMacs(model).total, label);
  assert.deepEqual(macs.published, measured.perSample.published, label);
  assert.deepEqual(macs.skippable, measured.perSample.skippable, label);
  const { dynamicLayers, maskWidth } = session;
  dynamicLayers.forEach(({ maskOffset, channels }, layer) => {
    for (let n = 0; n < 5; n++) {
      const start = n * maskWidth + maskOffset;
      const count = masks!.subarray(start, start + channels).reduce((a, b) => a + b, 0);
      assert.equal(activeCounts[n * dynamicLayers.length + layer], count, label);
    }
  });
  return session;
}
