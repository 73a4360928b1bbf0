/** Trained dynamic networks on real images: the masks of the tfjs model exactly, its logits to rounding. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { compile, mobilenetV1, resnet, vggSmall, type Session } from '../../src/index.js';
import { sessionDevices } from '../devices.js';
import { sanitized } from '../memoryUse.js';
import { compare } from './compare.js';
import { imagesAtHand, testImages, trainDynamic } from './trained.js';

/** Beyond the samples that an executor takes through the network at once. */
const mostImages = 33;
const batchSizes = [1, 3, 8, mostImages];
/** Sanitizers slow the emulator down fifty times, and look for faults that few images show. */
const emulatedBatchSizes = sanitized ? [1, 3] : batchSizes;
const inputShape: [number, number, number] = [28, 28, 1];

const networks: Record<string, () => tf.LayersModel> = {
  vggSmall: () => vggSmall({ seed: 1, widths: [16, 'M', 32, 32, 'M', 48, 48] }),
  'resnet 8': () => resnet({ depth: 8, inputShape, seed: 1 }),
  mobilenetV1: () => mobilenetV1({ inputShape, alpha: 0.25, seed: 1 }),
};

test('trained dynamic networks', async (t) => {
  await tf.setBackend('native');
  const dataset = await imagesAtHand(384);
  for (const [label, build] of Object.entries(networks)) {
    // Steps enough for batch normalization to follow: else masks do not depend on the image.
    const model = await trainDynamic(build(), dataset, { mass: 0.8, batchSize: 8, epochs: 1 });
    const x = testImages(dataset, mostImages);
    for (const measure of [true, false]) {
      const session = compile(model, { maxBatch: mostImages, measure });
      const setting = `${label} on ${dataset.name}, measure ${measure}`;
      await t.test(`masks and logits are the model's: ${setting}`, () => {
        for (const n of batchSizes) agrees(model, session, x, n);
      });
      await t.test(`an image does not see the others of its batch: ${setting}`, () => {
        assertIndependent(session, x.dataSync<'float32'>());
      });
      session.dispose();
    }
    for (const device of sessionDevices().filter((name) => name !== 'native')) {
      const session = compile(model, { device, maxBatch: mostImages });
      await t.test(
        `masks and logits are the model's: ${label} on ${dataset.name}, ${device}`,
        () => {
          for (const n of emulatedBatchSizes) agrees(model, session, x, n);
        },
      );
      session.dispose();
    }
    x.dispose();
    model.dispose();
  }
});

function agrees(model: tf.LayersModel, session: Session, x: tf.Tensor4D, n: number): void {
  tf.tidy(() => {
    const part = x.slice([x.shape[0] - n, 0, 0, 0], [n, -1, -1, -1]);
    const { logitError, decisions, active, mismatches } = compare(model, session, part);
    assert.deepEqual(mismatches, [], `batch ${n}`);
    assert.ok(logitError < 1e-4, `batch ${n}: logits are off by ${logitError}`);
    assert.ok(active > 0.1 * decisions && active < 0.95 * decisions, `${active} of ${decisions}`);
  });
}

interface Rows {
  logits: Uint32Array; // bits
  masks: Uint8Array;
}

/** Each image in batches of several sizes, at several places, beside others: always the same bits. */
function assertIndependent(session: Session, images: Float32Array): void {
  const floats = images.length / mostImages;
  const rowsOf = (order: number[]): Rows[] => {
    const batch = new Float32Array(order.length * floats);
    order.forEach((image, place) => {
      batch.set(images.subarray(image * floats, (image + 1) * floats), place * floats);
    });
    const { logits, masks } = session.run(batch, { masks: true });
    const [width, maskWidth] = [logits.length / order.length, session.maskWidth];
    return order.map((_, place) => ({
      logits: new Uint32Array(logits.slice(place * width, (place + 1) * width).buffer),
      masks: masks!.slice(place * maskWidth, (place + 1) * maskWidth),
    }));
  };
  const all = Array.from({ length: mostImages }, (_, i) => i);
  const expected = rowsOf(all);
  const differing = new Set(expected.map(({ masks }) => masks.join('')));
  assert.ok(differing.size > mostImages / 2, 'masks vary from image to image');
  const orders = [
    all.toReversed(),
    all.map((i) => (i * 7) % mostImages),
    all.map((i) => (i % 2 === 0 ? i : 5)),
    ...[0, 13, 32].map((i) => [i]),
    ...[1, 20].map((i) => [i, i + 11, i]),
    ...[2, 19].map((i) => all.slice(i, i + 8).toReversed()),
  ];
  for (const order of orders) {
    rowsOf(order).forEach((row, place) => {
      assert.deepEqual(row, expected[order[place]], `image ${order[place]} in [${order}]`);
    });
  }
}
