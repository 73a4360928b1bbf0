import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { checkTensor } from './checks.js';
import { scatterToMaximum } from './pooling.js';
import { registerComposite, runOp } from './runOp.js';

/**
 * How strongly each channel fires: the maximum of |x| over H and W. A channel with a NaN in it has the saliency NaN, which
 * the mask rules count as dead. The gradient goes to the first element that has the maximum.
 *
 * Source: FTWT (arXiv 2110.08232), section 3.2.
 * @param x activations [N, H, W, C]
 * @returns saliency [N, C]
 * @throws FtwtError INVALID_ARGUMENT for another rank or type, or where H, W or C is 0
 */
export function channelSaliency(x: Tensor4D): Tensor2D {
  checkTensor('channelSaliency', 'x', x, '[N, H, W, C]');
  return tf.tidy('channelSaliency', () => runOp('ChannelSaliency', { x }));
}

registerComposite<{ x: Tensor4D }>('ChannelSaliency', ({ x }) => {
  const [n, , , c] = x.shape;
  return n === 0 ? tf.zeros([0, c]) : tf.max(tf.abs(x), [1, 2]);
});

tf.registerGradient({
  kernelName: 'ChannelSaliency',
  inputsToSave: ['x'],
  gradFunc: (dy, [x]) => ({
    x: () =>
      x.size === 0
        ? tf.zerosLike(x)
        : tf.mul(scatterToMaximum(dy as Tensor2D, tf.abs(x as Tensor4D)), tf.sign(x)),
  }),
});
