import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { agrees, uniform } from '../agrees.js';

const shapes: number[][] = [
  [1, 1, 1, 1],
  [3, 5, 4, 1],
  [3, 5, 4, 3],
  [1, 7, 7, 16],
  [3, 3, 3, 37],
  [2, 2, 1, 1500],
  [3, 40, 40, 7],
];

for (const shape of shapes) {
  test(`FusedBatchNorm and its gradients agree with cpu on [${shape}]`, () => {
    const c = [shape[3]];
    const inputs = (): tf.Tensor[] => [
      uniform(shape, -1, 3),
      uniform(c, 0, 1, 2),
      uniform(c, 0.1, 2, 3),
      uniform(c, -1, 1, 4),
      uniform(c, 0.5, 2, 5),
    ];
    const run = (
      x: tf.Tensor,
      mean: tf.Tensor,
      variance: tf.Tensor,
      beta?: tf.Tensor,
      gamma?: tf.Tensor,
    ) =>
      tf.batchNorm(
        x as tf.Tensor4D,
        mean as tf.Tensor1D,
        variance as tf.Tensor1D,
        beta as tf.Tensor1D,
        gamma as tf.Tensor1D,
        1e-3,
      );
    agrees('forward', () =>
      run(...(inputs() as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor])),
    );
    agrees('without scale and offset', () => {
      const [x, mean, variance] = inputs();
      return run(x, mean, variance);
    });
    const gradients = tf.valueAndGrads((...all: tf.Tensor[]) =>
      tf.sum(tf.square(run(...(all as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor])))),
    );
    agrees('gradients', () => gradients(inputs()).grads, { absolute: 1e-3, relative: 1e-3 });
  });
}

test('statistics per element are left to the host kernel', () => {
  const full = [2, 3, 3, 2];
  const run = (x: tf.Tensor) =>
    tf.batchNorm(
      x as tf.Tensor4D,
      uniform(full, 0, 1, 2) as tf.Tensor4D,
      uniform(full, 0.5, 1, 3) as tf.Tensor4D,
    );
  agrees('forward', () => run(uniform(full)));
});
