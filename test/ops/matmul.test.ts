import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { binding } from '../../src/binding.js';
import { matmulCases } from '../cases/matmul.js';
import { agreesOn, uniformInput } from '../agrees.js';

for (const { name, a, b, transposeA, transposeB } of matmulCases) {
  test(`matMul: ${name}`, () => {
    agreesOn([uniformInput(a, 1), uniformInput(b, 2)], (x, y) =>
      tf.matMul(x, y, transposeA, transposeB),
    );
  });
}

for (const activation of ['linear', 'relu', 'relu6', 'sigmoid', 'leakyrelu'] as const) {
  for (const transposeA of [false, true]) {
    test(`fused matMul: bias and ${activation}${transposeA ? ', transposed a' : ''}`, () => {
      const inputs = [uniformInput([9, 9], 1), uniformInput([9, 21], 2), uniformInput([21], 3)];
      agreesOn(inputs, (a, b, bias) =>
        tf.fused.matMul({ a: tf.mul(a, 9), b, transposeA, bias, activation, leakyreluAlpha: 0.2 }),
      );
    });
  }
}

test('matMul of int32 is tfjs’s own', async () => {
  await tf.setBackend('native');
  const y = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2]], [1, 2], 'int32'), [[3], [4]]));
  assert.deepEqual(y.arraySync(), [[11]]);
  y.dispose();
});

test('a transposed product of wide rows needs little memory beside them', async () => {
  await tf.setBackend('native');
  const [a, b] = [tf.ones([2, 60_000]), tf.ones([2, 4])];
  const before = binding.info().threads * 60e6 + process.memoryUsage().rss;
  tf.matMul(a, b, true).dispose();
  assert.ok(process.memoryUsage().rss < before);
  tf.dispose([a, b]);
});
