import * as tf from '@tensorflow/tfjs';
import type { NamedAttrMap, Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import type { MaskPredictorAttrs } from '../backend/kernels/maskPredictor.js';
import { checkOneOf, checkShape, checkTensor } from './checks.js';
import { scatterToMaximum } from './pooling.js';
import { registerComposite, runOp } from './runOp.js';

export interface MaskPredictorOptions {
  /** Over H and W. Default 'max', as in the paper's figure; the authors' code averages. */
  pooling?: 'max' | 'average';
  /** Softmax over the input channels after the pooling. Default true. */
  softmax?: boolean;
}

/**
 * The head that predicts from a layer's input which of its output channels will fire: pooling over H and W, softmax over
 * the input channels, dense layer. With gradients for x, weights and bias; that of a maximum goes to its first element.
 *
 * Source: FTWT (arXiv 2110.08232), section 3.1.
 * @param x input of the layer [N, H, W, cIn]
 * @param weights [cIn, cOut]
 * @param bias [cOut]
 * @returns maskLogits [N, cOut]; `binarize` makes the mask of it
 * @throws FtwtError INVALID_ARGUMENT where shapes or types do not fit, or H, W, cIn or cOut is 0
 */
export function maskPredictor(
  x: Tensor4D,
  weights: Tensor2D,
  bias: Tensor1D,
  { pooling = 'max', softmax = true }: MaskPredictorOptions = {},
): Tensor2D {
  const op = 'maskPredictor';
  checkTensor(op, 'x', x, '[N, H, W, cIn]');
  checkTensor(op, 'weights', weights, '[cIn, cOut]');
  checkTensor(op, 'bias', bias, '[cOut]');
  checkShape(op, 'weights', weights, '[cIn, cOut]', [x.shape[3], weights.shape[1]]);
  checkShape(op, 'bias', bias, '[cOut]', [weights.shape[1]]);
  checkOneOf(op, 'pooling', pooling, ['max', 'average']);
  checkOneOf(op, 'softmax', softmax, [true, false]);
  const attrs: MaskPredictorAttrs = { pooling, softmax };
  return tf.tidy(op, () => runOp<Tensor2D[]>('MaskPredictor', { x, weights, bias }, attrs)[0]);
}

// Outputs: maskLogits [N, cOut], and what the dense layer saw, features [N, cIn], for the gradient.
registerComposite<{ x: Tensor4D; weights: Tensor2D; bias: Tensor1D }, MaskPredictorAttrs>(
  'MaskPredictor',
  ({ x, weights, bias }, { pooling, softmax }) => {
    const [n, , , cIn] = x.shape;
    if (n === 0) return [tf.zeros([0, weights.shape[1]]), tf.zeros([0, cIn])];
    const pooled = (pooling === 'max' ? tf.max(x, [1, 2]) : tf.mean(x, [1, 2])) as Tensor2D;
    const features = softmax ? tf.softmax(pooled) : pooled;
    return [tf.add(tf.matMul(features, weights), bias), features];
  },
);

interface BackpropInputs {
  dy: Tensor2D; // [N, cOut]
  x: Tensor4D;
  weights: Tensor2D;
  features: Tensor2D; // [N, cIn]
}

registerComposite<BackpropInputs, MaskPredictorAttrs>(
  'MaskPredictorBackpropInput',
  ({ dy, x, weights, features }, { pooling, softmax }) => {
    const [n, h, w, cIn] = x.shape;
    if (n === 0) return tf.zeros(x.shape);
    let dPooled = tf.matMul(dy, weights, false, true) as Tensor2D;
    if (softmax) {
      const weighted = tf.mul(dPooled, features);
      dPooled = tf.sub(weighted, tf.mul(features, tf.sum(weighted, 1, true)));
    }
    if (pooling === 'max') return scatterToMaximum(dPooled, x);
    const share = tf.reshape(tf.div(dPooled, h * w), [n, 1, 1, cIn]);
    return tf.tile(share, [1, h, w, 1]);
  },
);

tf.registerGradient({
  kernelName: 'MaskPredictor',
  inputsToSave: ['x', 'weights'],
  outputsToSave: [false, true],
  gradFunc: (dys, saved, attrs: NamedAttrMap) => {
    const dy = (dys as Tensor[])[0] as Tensor2D;
    const [x, weights, features] = saved as [Tensor4D, Tensor2D, Tensor2D];
    const empty = dy.shape[0] === 0;
    return {
      x: () => runOp<Tensor4D>('MaskPredictorBackpropInput', { dy, x, weights, features }, attrs),
      weights: () => (empty ? tf.zerosLike(weights) : tf.matMul(features, dy, true, false)),
      bias: () => (empty ? tf.zeros([dy.shape[1]]) : tf.sum(dy, 0)),
    };
  },
});
