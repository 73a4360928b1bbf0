import * as tf from '@tensorflow/tfjs';
import type { NamedAttrMap, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { isNativeBackend } from '../backend/register.js';
import { checkShape, checkTensor } from './checks.js';
import './channelSparseConv2dComposite.js';
import { convGeometry, type ConvOptions } from './convGeometry.js';
import { runOp } from './runOp.js';

export interface ChannelSparseConv2dOptions extends ConvOptions {
  /** Which input channels of each sample are active, [N, cIn]; the others count as zero. Default: all. */
  inputMask?: Tensor2D;
  /** Which output channels of each sample are computed, [N, cOut]; the others are zero. Default: all. */
  outputMask?: Tensor2D;
}

/**
 * conv2d(x * inputMask, filter) * outputMask, sample by sample, without computing what the masks drop: the backend
 * `native` skips masked channels in the forward pass and in both gradients. Values of x in masked channels do not
 * matter, be they NaN. A channel is active where its mask is above 0. The masks are constants: they get a zero gradient.
 *
 * Strides, padding and dilations mean what they mean in tf.conv2d, but may be combined freely.
 * @param x [N, H, W, cIn]
 * @param filter [kh, kw, cIn, cOut]
 * @returns y [N, H', W', cOut]
 * @throws FtwtError INVALID_ARGUMENT where shapes, types or options do not fit
 */
export function channelSparseConv2d(
  x: Tensor4D,
  filter: Tensor4D,
  { inputMask, outputMask, ...options }: ChannelSparseConv2dOptions = {},
): Tensor4D {
  const op = 'channelSparseConv2d';
  checkTensor(op, 'x', x, '[N, H, W, cIn]');
  checkTensor(op, 'filter', filter, '[kh, kw, cIn, cOut]');
  const [kh, kw, , cOut] = filter.shape;
  const [n, , , cIn] = x.shape;
  checkShape(op, 'filter', filter, '[kh, kw, cIn, cOut]', [kh, kw, cIn, cOut]);
  const geometry = convGeometry(op, x.shape, filter.shape, options);
  if (inputMask !== undefined) checkMask('inputMask', inputMask, '[N, cIn]', [n, cIn]);
  if (outputMask !== undefined) checkMask('outputMask', outputMask, '[N, cOut]', [n, cOut]);
  return tf.tidy(op, () => {
    // tfjs cannot save optional inputs for a gradient, so a missing mask becomes one of ones.
    const inputs = {
      x,
      filter,
      inputMask: inputMask ?? tf.ones<tf.Rank.R2>([n, cIn]),
      outputMask: outputMask ?? tf.ones<tf.Rank.R2>([n, cOut]),
    };
    return runOp<Tensor4D>('ChannelSparseConv2D', inputs, geometry);
  });
}

/** Whether the current backend leaves masked channels out; elsewhere they are computed and multiplied by 0. */
export function skipsChannels(): boolean {
  return isNativeBackend(tf.getBackend());
}

function checkMask(name: string, mask: Tensor2D, layout: string, shape: number[]): void {
  checkTensor('channelSparseConv2d', name, mask, layout);
  checkShape('channelSparseConv2d', name, mask, layout, shape);
}

tf.registerGradient({
  kernelName: 'ChannelSparseConv2D',
  inputsToSave: ['x', 'filter', 'inputMask', 'outputMask'],
  gradFunc: (dyOut, saved, attrs: NamedAttrMap) => {
    const dy = dyOut as Tensor4D;
    const [x, filter, inputMask, outputMask] = saved as [Tensor4D, Tensor4D, Tensor2D, Tensor2D];
    const masks = { inputMask, outputMask };
    return {
      x: () => runOp<Tensor4D>('ChannelSparseConv2DBackpropInput', { dy, filter, ...masks }, attrs),
      filter: () =>
        runOp<Tensor4D>('ChannelSparseConv2DBackpropFilter', { x, dy, ...masks }, attrs),
      inputMask: () => tf.zerosLike(inputMask),
      outputMask: () => tf.zerosLike(outputMask),
    };
  },
});
