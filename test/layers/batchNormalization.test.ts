import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { layers } from '../../src/index.js';
import { allClose } from '../allClose.js';

const shapes: number[][] = [
  [3, 4, 5, 6],
  [1, 2, 1, 1],
  [7, 3],
  [2, 3, 4],
];

const stock = (config: layers.BatchNormalizationConfig) => tf.layers.batchNormalization(config);

test('training and inference are those of the stock layer, gradients and running statistics included', () => {
  for (const shape of shapes) {
    tf.tidy(() => {
      const config = { momentum: 0.8, epsilon: 1e-3 };
      const x = tf.randomNormal(shape, 1, 2, 'float32', 5);
      const dy = tf.randomNormal(shape, 0, 1, 'float32', 6);
      const results = [stock(config), layers.batchNormalization(config)].map((layer) => {
        const loss = (input: tf.Tensor) =>
          (layer.apply(input, { training: true }) as tf.Tensor).mul(dy).sum() as tf.Scalar;
        layer.build(shape);
        layer.built = true;
        const channels = shape[shape.length - 1];
        const gamma = tf.linspace(0.5, 2, channels);
        layer.setWeights([gamma, gamma.sub(1), gamma.mul(0), gamma.div(gamma)]);
        const dx = tf.grad(loss)(x);
        const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
        const { grads } = tf.variableGrads(() => loss(x), variables);
        const inference = layer.apply(x) as tf.Tensor;
        return [
          layer.apply(x, { training: true }) as tf.Tensor,
          dx,
          ...variables.map(({ name }) => grads[name]),
          ...layer.getWeights(),
          inference,
        ];
      });
      results[1].forEach((actual, i) =>
        allClose(actual, results[0][i], { absolute: 1e-4, relative: 1e-3 }, `${shape} #${i}`),
      );
    });
  }
});

test('trains without scale or shift, where the stock layer throws', () => {
  for (const config of [{ scale: false }, { center: false }, { scale: false, center: false }]) {
    tf.tidy(() => {
      const layer = layers.batchNormalization(config);
      const x = tf.randomNormal([2, 3, 3, 4]);
      const dx = tf.grad(
        (input) =>
          (layer.apply(input, { training: true }) as tf.Tensor).square().sum() as tf.Scalar,
      )(x);
      assert.deepEqual(dx.shape, x.shape);
    });
  }
});

test('has the class name, config and weights of the stock layer', () => {
  const config = { name: 'norm', momentum: 0.7, center: false };
  const ours = layers.batchNormalization(config);
  assert.equal(ours.getClassName(), 'BatchNormalization');
  assert.deepEqual(ours.getConfig(), stock(config).getConfig());
});
