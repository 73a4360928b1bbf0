import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import '../../src/index.js';
import { allClose } from '../allClose.js';

test('relu on native agrees with cpu', async () => {
  const values = [-1, 0, 2, NaN, Infinity, -Infinity, 7];
  await tf.setBackend('cpu');
  const expected = tf.tidy(() => tf.relu(tf.tensor1d(values)).arraySync());
  await tf.setBackend('native');
  allClose(
    tf.tidy(() => tf.relu(tf.tensor1d(values)).arraySync()),
    expected,
  );
});
