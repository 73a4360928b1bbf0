import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { SgdMomentum } from '../../src/index.js';
import { allClose } from '../allClose.js';

beforeEach(() => tf.setBackend('native'));

const start = [0.5, -1.5, 2];
const target = [1, 2, -3];

const objective = (w: tf.Tensor) => tf.losses.meanSquaredError(tf.tensor1d(target), w) as tf.Scalar;

for (const nesterov of [false, true]) {
  test(`SgdMomentum agrees with tf.train.momentum, nesterov ${nesterov}`, () => {
    const ours = tf.variable(tf.tensor1d(start));
    const theirs = tf.variable(tf.tensor1d(start));
    const optimizer = new SgdMomentum({ all: { variables: [ours] } }, { momentum: 0.8, nesterov });
    const reference = tf.train.momentum(0.1, 0.8, nesterov);
    for (let step = 0; step < 5; step++) {
      const { grads, value } = tf.variableGrads(() => objective(ours), [ours]);
      optimizer.apply(grads, { all: 0.1 });
      tf.dispose([grads, value]);
      reference.minimize(() => objective(theirs), false, [theirs]);
      allClose(ours, theirs);
    }
    tf.dispose([ours, theirs]);
    optimizer.dispose();
    reference.dispose();
  });
}

test('weight decay by group and rank, frozen groups, missing gradients', () => {
  const names = ['kernel', 'bias', 'predictor', 'untouched'] as const;
  const shapes = { kernel: [1, 1], bias: [1], predictor: [1, 1], untouched: [1] };
  const v = Object.fromEntries(
    names.map((name) => [name, tf.variable(tf.fill(shapes[name], 2))]),
  ) as Record<(typeof names)[number], tf.Variable>;
  const optimizer = new SgdMomentum(
    {
      backbone: {
        variables: [v.kernel, v.bias, v.untouched],
        weightDecay: 0.5,
        decayVectors: false,
      },
      predictors: { variables: [v.predictor] },
    },
    { momentum: 0.5 },
  );
  const gradients = Object.fromEntries(
    [v.kernel, v.bias, v.predictor].map(({ name, shape }) => [name, tf.fill(shape, 3)]),
  );
  const values = () => names.map((name) => v[name].dataSync()[0]);
  optimizer.apply(gradients, { backbone: 0.1, predictors: 1 });
  allClose(values(), [2 - 0.1 * (3 + 0.5 * 2), 2 - 0.1 * 3, 2 - 3, 2]);
  optimizer.apply(gradients, { backbone: 0.1 });
  // kernel: velocity 4 -> 0.5 * 4 + 3 + 0.5 * 1.6; bias: velocity 3 -> 0.5 * 3 + 3
  allClose(values(), [1.6 - 0.1 * 5.8, 1.7 - 0.1 * 4.5, -1, 2]);
  allClose(
    optimizer.velocities().map((velocity) => velocity.dataSync()[0]),
    [5.8, 4.5, 0, 3],
  );
  assert.deepEqual(optimizer.variables(['predictors']), [v.predictor]);
});

test('updates leak nothing, dispose frees the velocities', () => {
  const before = tf.memory().numTensors;
  const w = tf.tidy(() => tf.variable(tf.ones([3])));
  const optimizer = new SgdMomentum(
    { all: { variables: [w], weightDecay: 0.1 } },
    { nesterov: true },
  );
  const gradients = { [w.name]: tf.ones([3]) };
  optimizer.apply(gradients, { all: 0.1 });
  const after = tf.memory().numTensors;
  for (let i = 0; i < 10; i++) optimizer.apply(gradients, { all: 0.1 });
  assert.equal(tf.memory().numTensors, after);
  optimizer.dispose();
  tf.dispose([w, gradients]);
  assert.equal(tf.memory().numTensors, before);
});

test('SgdMomentum refuses settings that make no sense', () => {
  const invalid = { code: 'INVALID_ARGUMENT' };
  assert.throws(() => new SgdMomentum({}, { momentum: 1 }), invalid);
  assert.throws(() => new SgdMomentum({ all: { variables: [], weightDecay: -1 } }), invalid);
});
