import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { sgdMomentumUpdate } from '../../src/index.js';
import { allClose } from '../allClose.js';
import { agrees, uniform } from '../agrees.js';
import { invalid } from './opsHelpers.js';

test('sgdMomentumUpdate: composite and native agree', () => {
  for (const shape of [[], [1], [37], [3, 3, 5, 7], [300, 130]]) {
    agrees(`[${shape}]`, () => {
      const { weight, velocity } = sgdMomentumUpdate(
        uniform(shape),
        uniform(shape, -1, 1, 2),
        uniform(shape, -1, 1, 3),
        { learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4 },
      );
      return [weight, velocity];
    });
  }
});

test('sgdMomentumUpdate: a worked example', () => {
  tf.tidy(() => {
    const { weight, velocity } = sgdMomentumUpdate(tf.scalar(2), tf.scalar(3), tf.scalar(4), {
      learningRate: 0.5,
      momentum: 0.25,
      weightDecay: 0.5,
    });
    allClose(velocity, tf.scalar(1 + 3 + 1));
    allClose(weight, tf.scalar(2 - 2.5));
  });
});

test('sgdMomentumUpdate: bad arguments', () => {
  tf.tidy(() => {
    const [x, y] = [tf.zeros([2]), tf.zeros([3])];
    const options = { learningRate: 0.1 };
    invalid(() => sgdMomentumUpdate(x, y, x, options), 'gradient must be [2] like weight, got [3]');
    invalid(() => sgdMomentumUpdate(x, x, tf.zeros([2], 'int32'), options), 'velocity must be');
    invalid(() => sgdMomentumUpdate(x, x, x, { learningRate: NaN }), 'learningRate');
  });
});
