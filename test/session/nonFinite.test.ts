/** NaN and Infinity: what they make of an image, and that they stay in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  compile,
  makeDynamic,
  mobilenetV1,
  resnet,
  vggSmall,
  type Session,
} from '../../src/index.js';
import { images, predict, scatter } from './oracle.js';

const inputShape: [number, number, number] = [16, 16, 3];
const networks: Record<string, () => tf.LayersModel> = {
  vggSmall: () => vggSmall({ inputShape, widths: [16, 'M', 20, 'M', 33], head: 'flatten' }),
  'resnet 8': () => resnet({ depth: 8, inputShape }),
  mobilenetV1: () => mobilenetV1({ inputShape, alpha: 0.25 }),
};
const batch = 9;
const odd = [NaN, Infinity, -Infinity];

/** The session of a network, its images, and what it makes of them. */
function open(model: tf.LayersModel, measure: boolean) {
  const session = compile(model, { maxBatch: batch, measure });
  const x = images(model, batch).dataSync<'float32'>().slice();
  return { session, x, clean: run(session, x) };
}

/** The bits of each image's logits, and its masks. */
function run(session: Session, x: Float32Array) {
  const { logits, masks } = session.run(x, { masks: true });
  const [width, maskWidth] = [logits.length / batch, session.maskWidth];
  return Array.from({ length: batch }, (_, n) => ({
    logits: logits.slice(n * width, (n + 1) * width),
    bits: new Uint32Array(logits.slice(n * width, (n + 1) * width).buffer),
    masks: masks!.slice(n * maskWidth, (n + 1) * maskWidth),
  }));
}

/** `x` with one odd value in the middle of image `n`. */
function spoilt(x: Float32Array, n: number, value: number): Float32Array {
  const floats = x.length / batch;
  const copy = x.slice();
  copy[n * floats + (floats >> 1)] = value;
  return copy;
}

for (const measure of [true, false]) {
  test(`an image that is not finite leaves the others alone, measure ${measure}`, async () => {
    await tf.setBackend('native');
    for (const [label, build] of Object.entries(networks)) {
      for (const dynamic of [false, true]) {
        const model = scatter(dynamic ? makeDynamic(build(), { mass: 0.9 }) : build());
        const { session, x, clean } = open(model, measure);
        for (const value of odd) {
          for (const n of [0, 3, 7, 8]) {
            run(session, spoilt(x, n, value)).forEach((image, i) => {
              if (i === n) return;
              const text = `${label}, dynamic ${dynamic}, ${value} in image ${n}, image ${i}`;
              assert.deepEqual(image, clean[i], text);
            });
          }
          // Nothing of it stays in the working memory.
          assert.deepEqual(run(session, x), clean, `${label}, after ${value}`);
        }
        session.dispose();
      }
    }
  });
}

test('of a dense network, NaN gives NaN in every logit', () => {
  for (const [label, build] of Object.entries(networks)) {
    for (const measure of [true, false]) {
      const { session, x } = open(scatter(build()), measure);
      const { logits } = run(session, spoilt(x, 2, NaN))[2];
      assert.ok(logits.every(Number.isNaN), `${label}, measure ${measure}: ${logits}`);
      session.dispose();
    }
  }
});

test('what a predictor cannot tell is off, as in the model', () => {
  for (const [label, build] of Object.entries(networks)) {
    const model = scatter(makeDynamic(build(), { mass: 0.9 }));
    const { session, x } = open(model, false);
    const [{ name, maskOffset, channels }] = session.dynamicLayers;
    for (const value of odd) {
      const tensor = tf.tensor(spoilt(x, 2, value), [batch, ...inputShape]);
      const expected = predict(model, tensor).masks.get(name)!;
      const { masks, bits } = run(session, tensor.dataSync<'float32'>())[2];
      const text = `${label}, ${value}`;
      const first = [...masks.subarray(maskOffset, maskOffset + channels)];
      assert.deepEqual(first, expected.slice(2 * channels, 3 * channels), text);
      if (value !== -Infinity)
        assert.ok(
          first.every((mask) => mask === 0),
          text,
        );
      // The rest of the network computes on zeros, so the logits are those of these masks.
      const forcedMasks = new Uint8Array(batch * session.maskWidth);
      forcedMasks.set(masks, 2 * session.maskWidth);
      const again = session.run(tensor, { forcedMasks }).logits;
      const width = again.length / batch;
      assert.deepEqual(new Uint32Array(again.slice(2 * width, 3 * width).buffer), bits, text);
      tensor.dispose();
    }
    session.dispose();
  }
});
