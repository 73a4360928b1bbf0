/** What counts as the same results. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile, makeDynamic, vggSmall } from '../../src/index.js';
import { randomImages } from '../../src/timing/images.js';
import {
  checkedError,
  checkSession,
  decidedError,
  predict,
  reference,
  WrongResults,
} from '../../src/timing/logits.js';
import { scatter } from '../session/oracle.js';

const floats = (...values: number[]) => Float32Array.from(values);

test('logits may be off by rounding, of the largest', () => {
  assert.ok(Math.abs(checkedError('x', floats(10, 0.001), floats(10, 0)) - 1e-4) < 1e-8);
  assert.throws(
    () => checkedError('x', floats(10, 0.01), floats(10, 0)),
    /^Error: x: logit 1 should be 0, got 0\.0099/,
  );
  assert.throws(() => checkedError('x', floats(NaN), floats(1)), /should be 1, got NaN/);
  assert.throws(() => checkedError('x', floats(1, 2), floats(1)), /expected 1 logits, got 2/);
  assert.equal(checkedError('x', floats(0, 0), floats(0, 0)), 0);
});

function dynamicModel() {
  const dense = vggSmall({ inputShape: [8, 8, 1], classes: 3, widths: [8, 'M', 16], seed: 1 });
  return scatter(makeDynamic(dense, { mass: 0.9 }));
}

test('a session is compared with the masks and logits of its model', () => {
  const model = dynamicModel();
  const images = randomImages(model, 4);
  const expected = reference(model, images);
  assert.deepEqual(expected.logits, predict(model, images));
  assert.deepEqual(
    expected.masks.map(({ layer, masks }) => [layer, masks.length]),
    [
      ['conv1', 4 * 8],
      ['conv2', 4 * 16],
    ],
  );
  const session = compile(model, { maxBatch: 4, measure: false });
  const { error, turnedMasks } = checkSession(session, images, expected);
  assert.ok(error < 1e-4);
  assert.equal(turnedMasks, 0);

  const other = { ...expected, logits: expected.logits.map((value) => value + 1) };
  assert.throws(() => checkSession(session, images, other), WrongResults);
  const masks = expected.masks.map(({ layer, masks: values }) => ({
    ...{ layer, masks: values.map((value) => 1 - value) },
  }));
  assert.throws(
    () => checkSession(session, images, { ...expected, masks }),
    /^FtwtError: wrong results: 96 of 96 entries of masks differ from those of model\.predict$/,
  );
  session.dispose();
});

test('images with an undecided predictor do not count, unless all are', () => {
  const logits = floats(1, 2, 3, 4);
  const expected = { n: 2, logits, masks: [], decided: [true, false] };
  assert.equal(decidedError(floats(1, 2, 30, 40), expected), 0);
  assert.throws(() => decidedError(floats(1, 3, 3, 4), expected), WrongResults);
  const none = { ...expected, decided: [false, false] };
  assert.throws(() => decidedError(floats(1, 2, 30, 40), none), WrongResults);
});
