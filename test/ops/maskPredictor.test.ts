import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { maskPredictor, type MaskPredictorOptions } from '../../src/index.js';
import { allClose } from '../allClose.js';
import { gradCheck } from '../gradCheck.js';
import { agreesOn } from '../agrees.js';
import { invalid, tensorOf, uniformInput, wellSpaced, withEachBackend } from './opsHelpers.js';

const variants: Required<MaskPredictorOptions>[] = [
  { pooling: 'max', softmax: true },
  { pooling: 'max', softmax: false },
  { pooling: 'average', softmax: true },
  { pooling: 'average', softmax: false },
];

function predict(options?: MaskPredictorOptions) {
  return (x: Tensor, weights: Tensor, bias: Tensor) =>
    maskPredictor(x as Tensor4D, weights as Tensor2D, bias as Tensor1D, options);
}

const shapes: { x: number[]; cOut: number }[] = [
  { x: [1, 1, 1, 1], cOut: 1 },
  { x: [3, 5, 3, 1], cOut: 17 },
  { x: [5, 2, 3, 19], cOut: 33 },
  { x: [1, 4, 4, 64], cOut: 16 },
];

for (const options of variants) {
  const label = `${options.pooling} pooling${options.softmax ? ', softmax' : ''}`;

  for (const { x, cOut } of shapes) {
    const inputs = () => [
      uniformInput(x, 1),
      uniformInput([x[3], cOut], 2),
      uniformInput([cOut], 3),
    ];
    test(`maskPredictor: ${label}, [${x.join(', ')}] to ${cOut}`, () => {
      agreesOn(inputs(), predict(options));
    });

    test(`maskPredictor: ${label}, gradient for x, [${x.join(', ')}] to ${cOut}`, () => {
      agreesOn(inputs(), (...tensors) => {
        const f = (...t: Tensor[]) => tf.sum(tf.square(predict(options)(t[0], t[1], t[2])));
        return tf.grads(f)(tensors)[0];
      });
    });
  }

  test(`maskPredictor: ${label}, gradients`, async () => {
    await withEachBackend(async (backend) => {
      const inputs = [
        wellSpaced([3, 2, 3, 5], 4),
        uniformInput([5, 7], 5),
        uniformInput([7], 6),
      ].map((input) => tensorOf(input));
      gradCheck((x, weights, bias) => predict(options)(x, weights, bias), inputs, {
        label: backend,
      });
      tf.dispose(inputs);
    });
  });
}

test('maskPredictor: worked example', async () => {
  await withEachBackend(async (backend) => {
    tf.tidy(() => {
      // Maxima 0 and log 3: softmax 1/4 and 3/4.
      const x = tf.tensor4d([0, -9, -1, Math.log(3)], [1, 2, 1, 2]);
      const weights = tf.tensor2d([4, 8, -4, 4], [2, 2]);
      const logits = maskPredictor(x, weights, tf.tensor1d([1, -1]));
      allClose(logits.dataSync(), [-1, 4], undefined, backend);
    });
  });
});

test('maskPredictor: the gradient of a tied maximum goes to its first element', async () => {
  await withEachBackend(async (backend) => {
    tf.tidy(() => {
      const x = tf.tensor4d([1, 3, 3, 0], [1, 2, 2, 1]);
      const f = predict({ softmax: false });
      const dx = tf.grad((t: Tensor) => f(t, tf.ones([1, 1]), tf.zeros([1])))(x);
      assert.deepEqual(Array.from(dx.dataSync()), [0, 1, 0, 0], backend);
    });
  });
});

test('maskPredictor: large inputs do not overflow the softmax, NaN stays in its sample', async () => {
  await withEachBackend(async (backend) => {
    tf.tidy(() => {
      const x = tf.tensor4d([1e30, -1e30, NaN, 1, 80, 80], [3, 1, 1, 2]);
      const logits = maskPredictor(x, tf.tensor2d([1, 3], [2, 1]), tf.zeros([1]));
      allClose(logits.dataSync(), [1, NaN, 2], undefined, backend);
    });
  });
});

test('maskPredictor: a sample has the same logits in every batch', async () => {
  await tf.setBackend('native');
  tf.tidy(() => {
    const x = tensorOf<Tensor4D>(uniformInput([7, 2, 2, 9], 1));
    const [weights, bias] = [tensorOf(uniformInput([9, 21], 2)), tensorOf(uniformInput([21], 3))];
    const alone = tf.unstack(x).map((image) => predict()(tf.expandDims(image), weights, bias));
    assert.deepEqual(predict()(x, weights, bias).arraySync(), tf.concat(alone).arraySync());
  });
});

test('maskPredictor: empty batch, also its gradients', async () => {
  await withEachBackend(async () => {
    tf.tidy(() => {
      const inputs = [tf.zeros([0, 2, 2, 3]), tf.ones([3, 4]), tf.ones([4])];
      assert.deepEqual(predict()(inputs[0], inputs[1], inputs[2]).shape, [0, 4]);
      const f = (...t: Tensor[]) => tf.sum(predict()(t[0], t[1], t[2]));
      const gradients = tf.grads(f)(inputs);
      assert.deepEqual(
        gradients.map((g) => g.shape),
        [[0, 2, 2, 3], [3, 4], [4]],
      );
      allClose(gradients[1], tf.zeros([3, 4]));
    });
  });
});

test('maskPredictor: bad arguments', () => {
  tf.tidy(() => {
    const x = tf.zeros([2, 3, 3, 4]);
    const [weights, bias] = [tf.zeros([4, 5]), tf.zeros([5])];
    const bad = (a: Tensor, b: Tensor, c: Tensor, o?: object) => () => predict(o)(a, b, c);
    invalid(bad(tf.zeros([2, 4]), weights, bias), 'x must be [N, H, W, cIn], got [2, 4]');
    invalid(bad(x, tf.zeros([3, 5]), bias), 'weights must be [cIn, cOut] = [4, 5], got [3, 5]');
    invalid(bad(x, weights, tf.zeros([4])), 'bias must be [cOut] = [5], got [4]');
    invalid(bad(x, weights, tf.zeros([5], 'int32')), 'bias must be float32, got int32');
    invalid(bad(tf.zeros([2, 0, 3, 4]), weights, bias), 'without empty sizes');
    invalid(bad(x, tf.zeros([4, 0]), tf.zeros([0])), 'without empty sizes, got [4, 0]');
    invalid(bad(x, weights, bias, { pooling: 'min' }), 'pooling must be one of max, average');
    invalid(bad(x, weights, bias, { softmax: 1 }), 'softmax must be one of true, false, got 1');
  });
});
