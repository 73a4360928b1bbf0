/** What a batch, or masks from outside, may change of an image's result, and what not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { compile, layers as ours, makeDynamic } from '../../src/index.js';
import { sessionDevices } from '../devices.js';
import { bitsEqual, builders, mass, networks, setMasks } from './networks.js';
import { closeLogits, images, predict, scatter, sessionAgrees } from './oracle.js';

const { layers } = tf;

test('images so large that a batch goes through the network in parts', () => {
  if (!sessionDevices().includes('native')) return;
  const size = 60;
  const apply = (layer: tf.layers.Layer, ...x: tf.SymbolicTensor[]) =>
    layer.apply(x.length === 1 ? x[0] : x) as tf.SymbolicTensor;
  const dynamic = (filters: number, strides = 1) =>
    ours.dynamicConv2d({
      ...{ filters, kernelSize: 3, padding: 'same', activation: 'relu', mass, strides },
    });
  const input = tf.input({ shape: [size, size, 3] });
  const narrow = apply(dynamic(16), input); // all 8 images, then parts of 2
  // The last of these would fit where `narrow` is, which the next part has yet to read.
  const wide = apply(dynamic(64), apply(dynamic(64), apply(dynamic(64), narrow)));
  const sum = apply(layers.add(), apply(dynamic(64), wide), wide);
  const half = apply(dynamic(48, 2), sum); // of 4
  const small = apply(dynamic(16, 2), half); // of 8
  const skip = apply(dynamic(16, 4), wide);
  const head = apply(
    layers.dense({ units: 5 }),
    apply(layers.flatten(), apply(layers.add(), small, skip)),
  );
  const model = scatter(tf.model({ inputs: input, outputs: head }));
  const session = compile(model, { maxBatch: 8 });
  const x = images(model, 8);
  const whole = session.run(x, { masks: true });
  for (let n = 0; n < 8; n++) {
    const values = x.dataSync<'float32'>().slice(n * size * size * 3, (n + 1) * size * size * 3);
    const one = session.run(values, { masks: true });
    bitsEqual(one.logits, whole.logits.slice(n * 5, (n + 1) * 5), `image ${n}`);
    const { maskWidth } = session;
    assert.deepEqual(one.masks, whole.masks!.slice(n * maskWidth, (n + 1) * maskWidth));
  }
  session.dispose();
  sessionAgrees('large images', model, [8], { device: 'native' });
});

test("an image's result on the CPU does not depend on its batch, bit for bit", () => {
  if (!sessionDevices().includes('native')) return;
  for (const [label, build] of Object.entries(builders)) {
    for (const measure of [true, false]) {
      const model = scatter(makeDynamic(build(), { mass }));
      const session = compile(model, { maxBatch: 12, measure });
      const x = images(model, 12).dataSync<'float32'>();
      const floats = x.length / 12;
      const whole = session.run(x, { masks: true });
      const width = whole.logits.length / 12;
      for (const [first, n] of [
        [0, 1],
        [5, 1],
        [11, 1],
        [3, 3],
        [4, 8],
        [0, 11],
      ]) {
        const part = session.run(x.slice(first * floats, (first + n) * floats), { masks: true });
        const text = `${label}, images ${first} to ${first + n - 1}, measure ${measure}`;
        bitsEqual(part.logits, whole.logits.slice(first * width, (first + n) * width), text);
        const { maskWidth } = session;
        const masks = whole.masks!.slice(first * maskWidth, (first + n) * maskWidth);
        assert.deepEqual(part.masks, masks, text);
      }
      session.dispose();
    }
  }
});

test('on a GPU its masks do not depend on the batch, and its bits on nothing but the size', () => {
  for (const { label, build, device } of networks()) {
    if (device === 'native') continue;
    const model = scatter(makeDynamic(build(), { mass }));
    const session = compile(model, { maxBatch: 4, device });
    const x = images(model, 4).dataSync<'float32'>();
    const floats = x.length / 4;
    const image = (i: number) => x.subarray(i * floats, (i + 1) * floats);
    const runOf = (...order: number[]) => {
      const input = Float32Array.from(order.flatMap((i) => [...image(i)]));
      const { logits, masks } = session.run(input, { masks: true });
      const width = logits.length / order.length;
      return order.map((_, n) => ({
        logits: logits.slice(n * width, (n + 1) * width),
        masks: masks!.slice(n * session.maskWidth, (n + 1) * session.maskWidth),
      }));
    };
    const [first, second] = runOf(0, 1);
    bitsEqual(runOf(1, 3)[0].logits, second.logits, label);
    bitsEqual(runOf(2, 0)[1].logits, first.logits, label);
    for (const order of [[0], [3, 2, 0], [1, 0, 2, 3]]) {
      const at = order.indexOf(0);
      assert.deepEqual(runOf(...order)[at].masks, first.masks, `${label}, batch ${order.length}`);
    }
    session.dispose();
  }
});

test('forced masks take the place of the predicted', () => {
  for (const { label, build, device } of networks()) {
    const model = scatter(makeDynamic(build(), { mass }));
    const session = compile(model, { maxBatch: 3, measure: false, device });
    const x = images(model, 3);
    const predicted = session.run(x, { masks: true });
    const again = session.run(x, { forcedMasks: predicted.masks, masks: true });
    bitsEqual(again.logits, predicted.logits, label);
    assert.deepEqual(again.masks, predicted.masks, label);

    // The same masks for all images, by the biases of the tfjs model.
    const active = (c: number) => c % 3 !== 1;
    setMasks(model, (c) => (active(c) ? 1 : -1));
    const forcedMasks = new Uint8Array(3 * session.maskWidth);
    for (const { channels, maskOffset } of session.dynamicLayers) {
      for (let n = 0; n < 3; n++) {
        for (let c = 0; c < channels; c++) {
          forcedMasks[n * session.maskWidth + maskOffset + c] = Number(active(c));
        }
      }
    }
    const forced = session.run(x, { forcedMasks, masks: true });
    closeLogits(forced.logits, predict(model, x).logits, label);
    assert.deepEqual(forced.masks, forcedMasks, label);
    session.dispose();
  }
});
