import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs';
import { batchNormTraining, type BatchNormTrainingOptions } from '../../src/index.js';
import { allClose } from '../allClose.js';
import { agrees, uniform } from '../agrees.js';
import { eachDevice } from '../devices.js';
import { gradCheck } from '../gradCheck.js';
import { invalid } from './opsHelpers.js';

type Activation = NonNullable<BatchNormTrainingOptions['activation']>;
const activations: Activation[] = ['linear', 'relu', 'relu6'];

const shapes: number[][] = [
  [1, 1, 1, 1],
  [3, 5, 4, 1],
  [3, 5, 4, 3],
  [1, 7, 7, 16],
  [3, 3, 3, 37],
  [2, 2, 1, 1500],
  [3, 40, 40, 7],
];

/** From the definition, in stock ops, with tfjs's own gradients. */
function reference(x: Tensor, gamma: Tensor, beta: Tensor, activation: Activation): Tensor {
  const centred = tf.sub(x, tf.mean(x, [0, 1, 2]));
  const variance = tf.mean(tf.square(centred), [0, 1, 2]);
  const z = tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-3))), gamma), beta);
  return activation === 'linear' ? z : activation === 'relu' ? tf.relu(z) : tf.relu6(z);
}

const op = (x: Tensor, gamma: Tensor, beta: Tensor, activation: Activation) =>
  batchNormTraining(x as Tensor4D, gamma as Tensor1D, beta as Tensor1D, { activation });

for (const shape of shapes) {
  const inputs = () => [
    uniform(shape, -1, 3),
    uniform([shape[3]], 0.5, 8, 2),
    uniform([shape[3]], -1, 3, 3),
  ];
  const weighted = (y: Tensor) => tf.sum(tf.mul(y, uniform(y.shape, -1, 1, 9)));

  for (const activation of activations) {
    test(`batchNormTraining: composite and native agree, [${shape}], ${activation}`, () => {
      agrees(
        'outputs',
        () => {
          const [x, gamma, beta] = inputs();
          const { y, mean, variance } = op(x, gamma, beta, activation);
          return [y, mean, variance];
        },
        { absolute: 5e-5 },
      );
    });

    test(`batchNormTraining: gradients are those of the definition, [${shape}], ${activation}`, () => {
      const expected = (() => {
        tf.setBackend('cpu');
        return tf.tidy(() =>
          tf
            .grads((x, gamma, beta) => weighted(reference(x, gamma, beta, activation)))(inputs())
            .map((gradient) => gradient.dataSync()),
        );
      })();
      const check = (label: string) => {
        const before = tf.memory().numTensors;
        tf.tidy(() => {
          const gradients = tf.grads((x, gamma, beta) =>
            weighted(op(x, gamma, beta, activation).y),
          )(inputs());
          gradients.forEach((gradient, i) => {
            allClose(gradient.dataSync(), expected[i], { absolute: 1e-3, relative: 1e-3 }, label);
          });
        });
        assert.equal(tf.memory().numTensors, before, `${label}: tensors leaked`);
      };
      check('composite');
      for (const name of eachDevice()) check(name);
    });
  }
}

test('batchNormTraining: gradients agree with finite differences', () => {
  for (const label of eachDevice()) {
    tf.tidy(() => {
      const f = (x: Tensor, gamma: Tensor, beta: Tensor) => op(x, gamma, beta, 'linear').y;
      gradCheck(f, [uniform([2, 3, 2, 3]), uniform([3], 1, 2, 2), uniform([3], 0, 1, 3)], {
        label,
      });
    });
  }
});

test('batchNormTraining: gamma and beta default to 1 and 0', () => {
  agrees(
    'defaults',
    () => {
      const x = uniform([2, 3, 3, 5]) as Tensor4D;
      const { y } = batchNormTraining(x, undefined, undefined, { epsilon: 0.1 });
      return [y, tf.grad((t) => tf.sum(tf.square(batchNormTraining(t as Tensor4D).y)))(x)];
    },
    { absolute: 1e-4 },
  );
});

test('batchNormTraining: mean and variance are constants', () => {
  for (const name of eachDevice()) {
    tf.tidy(() => {
      const dx = tf.grad((x) => {
        const { y, mean, variance } = batchNormTraining(x as Tensor4D);
        return tf.add(tf.sum(mean), tf.add(tf.sum(variance), tf.mul(tf.sum(y), 0)));
      })(uniform([2, 2, 2, 3]));
      assert.ok(
        dx.dataSync().every((value) => value === 0),
        name,
      );
    });
  }
});

test('batchNormTraining: the variance survives a mean 10,000 times the deviation', () => {
  for (const name of eachDevice()) {
    tf.tidy(() => {
      const noise = uniform([2, 30, 30, 3]);
      const { mean, variance } = batchNormTraining(tf.add(noise, 10000) as Tensor4D);
      mean.dataSync().forEach((value) => assert.ok(Math.abs(value - 10000) < 0.1, name));
      variance.dataSync().forEach((value) => assert.ok(Math.abs(value - 1 / 3) < 0.03, name));
    });
  }
});

test('batchNormTraining: bad arguments', () => {
  tf.tidy(() => {
    const x = tf.zeros<tf.Rank.R4>([2, 3, 3, 4]);
    invalid(
      () => batchNormTraining(tf.zeros([2, 4]) as tf.Tensor as Tensor4D),
      'x must be [N, H, W, C], got [2, 4]',
    );
    invalid(() => batchNormTraining(tf.zeros([0, 3, 3, 4])), 'at least one sample');
    invalid(() => batchNormTraining(x, tf.zeros([3])), 'gamma must be [C] = [4], got [3]');
    invalid(
      () => batchNormTraining(x, undefined, tf.zeros([5])),
      'beta must be [C] = [4], got [5]',
    );
    invalid(() => batchNormTraining(x, undefined, undefined, { epsilon: NaN }), 'epsilon');
    invalid(
      () => batchNormTraining(x, undefined, undefined, { activation: 'tanh' as 'relu' }),
      'activation must be one of linear, relu, relu6, got tanh',
    );
  });
});
