/** Masks that are told from bytes of the predictor's weights: the same whatever the batch, the scale and the processor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { layers as ours } from '../../src/index.js';
import { eachInstructionSet, sessionDevices } from '../devices.js';
import { agrees, compileWith, maxBatch } from './agreement.js';
import { chain, images, modelOf } from './oracle.js';

test('masks do not depend on the scale of an image, down to where squares underflow', () => {
  if (!sessionDevices().includes('native')) return;
  const dynamic = ours.dynamicConv2d({ filters: 200, kernelSize: 1, mass: 0.9, softmax: false });
  const model = modelOf([3, 3, 150], chain(dynamic));
  const bias = model.weights.find(({ originalName }) => /predictor_bias/.test(originalName))!;
  bias.write(tf.zeros([200]));
  const x = images(model, maxBatch);
  const values = x.dataSync<'float32'>().slice();
  for (const device of eachInstructionSet()) {
    const session = compileWith(model, '');
    const { masks } = session.run(values, { masks: true });
    assert.ok(masks?.includes(0) && masks.includes(1));
    for (const exponent of [-30, -45, -60, -73, -90, -110]) {
      const scaled = values.map((value) => value * 2 ** exponent);
      assert.deepEqual(session.run(scaled, { masks: true }).masks, masks, `${device}, ${exponent}`);
    }
    session.dispose();
  }
  x.dispose();
});

test('predictors so wide that their signs are told from bytes', () => {
  if (!sessionDevices().includes('native')) return;
  for (const softmax of [true, false]) {
    const dynamic = (filters: number) =>
      ours.dynamicConv2d({ filters, kernelSize: 1, activation: 'relu', mass: 0.9, softmax });
    const model = modelOf([3, 3, 150], chain(dynamic(200), dynamic(131), dynamic(140)));
    agrees(`softmax ${softmax}`, model, '');
    const kernel = model.weights.find(({ originalName }) => /predictor_kernel/.test(originalName))!;
    const values = kernel.read().dataSync<'float32'>().slice();
    values.set([Infinity, -Infinity, NaN, 0, 1e30], 200 * 7);
    kernel.write(tf.tensor(values, kernel.shape as number[]));
    agrees(`softmax ${softmax}, weights that are not finite`, model, '');
  }
});

test('signs that are told from bytes are the same in batches of all sizes', () => {
  if (!sessionDevices().includes('native')) return;
  const dynamic = (filters: number) =>
    ours.dynamicConv2d({ filters, kernelSize: 1, activation: 'relu', mass: 0.9 });
  // Numbers of inputs with every rest by 4.
  const widths = [200, 131, 130, 129, 140];
  const model = modelOf([3, 3, 150], chain(...widths.map(dynamic)));
  const sizes = [2, 4, 5, 7, 12, 13, 25];
  const x = images(model, 25);
  const values = x.dataSync<'float32'>().slice();
  const image = values.length / 25;
  for (const device of eachInstructionSet()) {
    const session = compileWith(model, '', 25);
    const masksOf = (first: number, n: number) =>
      session.run(values.subarray(first * image, (first + n) * image), { masks: true }).masks!;
    const alone = Array.from({ length: 25 }, (_, i) => [...masksOf(i, 1)]).flat();
    assert.ok(alone.includes(0) && alone.includes(1));
    for (const n of sizes) {
      const masks = masksOf(0, n);
      assert.deepEqual([...masks], alone.slice(0, masks.length), `${device}, ${n} images`);
    }
    session.dispose();
  }
  x.dispose();
});

test('a sign that bytes of weights and steps of features, both rounded the worst way, get wrong', () => {
  if (!sessionDevices().includes('native')) return;
  const inputs = 2048;
  const filters = 64;
  const dynamic = ours.dynamicConv2d({ filters, kernelSize: 1, mass: 0.9, softmax: false });
  const model = modelOf([1, 1, inputs], chain(dynamic));
  const weight = (name: RegExp) =>
    model.weights.find(({ originalName }) => name.test(originalName))!;
  // Weights of half a byte's step and more, and features of half a step: rounded up, their products are four times as large.
  const small = 0.51 / 127;
  const column = (i: number) => (i === 1 ? 1 : small);
  const kernel = weight(/predictor_kernel/);
  const shape = kernel.shape as number[];
  const values = Array.from({ length: inputs }, (_, i) =>
    new Array<number>(filters).fill(column(i)),
  );
  kernel.write(tf.tensor(values.flat(), shape));
  // The first output is some -2e-5, the others are some 2e-5.
  const biases = Array.from({ length: filters }, (_, o) => -0.0041441 + (o === 0 ? -2e-5 : 2e-5));
  weight(/predictor_bias/).write(tf.tensor1d(biases));
  const feature = (i: number) => (i === 0 ? 1 : i === 1 ? 0 : 0.51 / 32639);
  const image = Float32Array.from({ length: inputs }, (_, i) => feature(i));
  for (const device of eachInstructionSet()) {
    const session = compileWith(model, '');
    for (const n of [1, 2, 3]) {
      const images = Float32Array.from({ length: n * inputs }, (_, i) => image[i % inputs]);
      const { masks } = session.run(images, { masks: true });
      const expected = Array.from({ length: n * filters }, (_, i) => +(i % filters > 0));
      assert.deepEqual([...masks!], expected, `${device}, ${n} images`);
    }
    session.dispose();
  }
});

test('what a predictor pools, after each way to run the layer before', () => {
  if (!sessionDevices().includes('native')) return;
  const ways: [variant: string, size: number, kernelSize: number][] = [
    ['1x1 in place', 13, 1],
    ['1x1 in place', 21, 1], // in parts of the planes
    ['shifted planes', 8, 3],
    ['shifted planes', 21, 3],
    ['strips of rows', 9, 3],
    ['gathered pixels', 5, 3],
    ['dot products', 2, 1],
    ['dot products', 2, 3],
    ['winograd 2x2', 8, 3],
    ['winograd points', 7, 3],
    ['depthwise channels', 5, 3],
    ['depthwise rows', 33, 3],
    ['depthwise pixels', 12, 3],
  ];
  for (const [variant, size, kernelSize] of ways) {
    for (const pooling of ['max', 'average'] as const) {
      const options = { mass: 0.8, pooling, batchNormalization: true } as const;
      const writer = { filters: 37, kernelSize, padding: 'same', activation: 'relu' } as const;
      const depthwise = variant.startsWith('depthwise');
      const last = () => ours.dynamicConv2d({ ...options, filters: 70, kernelSize: 1 });
      const shape = [size, size, 24];
      const label = `${variant}, ${size}x${size}, ${pooling}`;
      const dynamic = [
        ours.dynamicConv2d({ ...options, ...writer }),
        ...(depthwise ? [ours.dynamicDepthwiseConv2d({ ...options, ...writer })] : []),
      ];
      assert.ok(agrees(label, modelOf(shape, chain(...dynamic, last())), variant) > 0, label);
      const dense = depthwise ? tf.layers.depthwiseConv2d(writer) : tf.layers.conv2d(writer);
      const model = modelOf(shape, chain(dense, last()));
      assert.ok(agrees(`${label}, dense`, model, variant) > 0, label);
      staysOff(label, model, variant);
    }
  }
});

/** One pixel of the second of three images is not a number: the only dynamic layer computes nothing of it. */
function staysOff(label: string, model: tf.LayersModel, variant: string): void {
  const x = images(model, 3);
  const values = x.dataSync<'float32'>().slice();
  values[Math.floor(values.length / 2)] = NaN;
  for (const device of eachInstructionSet()) {
    const session = compileWith(model, variant);
    const { masks } = session.run(values, { masks: true });
    const active = [0, 1, 2].map((n) =>
      masks!.subarray(n * session.maskWidth, (n + 1) * session.maskWidth).includes(1),
    );
    assert.deepEqual(active, [true, false, true], `${label}, ${device}`);
    session.dispose();
  }
  x.dispose();
}
