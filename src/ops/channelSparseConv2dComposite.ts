/** The channel-sparse convolution and its two gradients, of stock ops: dense, with masked channels replaced by zero. */
import * as tf from '@tensorflow/tfjs';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import type { ConvGeometry } from '../backend/kernels/channelSparseConv2d.js';
import { registerComposite } from './runOp.js';

interface Masks {
  inputMask: Tensor2D;
  outputMask: Tensor2D;
}

/** Zero where the mask is 0. Not a product: 0 * NaN is NaN. */
function dropMasked(x: Tensor4D, mask: Tensor2D): Tensor4D {
  const [n, c] = mask.shape;
  return tf.where(tf.greater(tf.reshape(mask, [n, 1, 1, c]), 0), x, 0) as Tensor4D;
}

/** The filter with its zeros in between, so that stock ops without dilation (all gradients) can use it. */
function dilateFilter(filter: Tensor4D, { dilationH, dilationW }: ConvGeometry): Tensor4D {
  if (dilationH === 1 && dilationW === 1) return filter;
  const [kh, kw, cIn, cOut] = filter.shape;
  const apart = tf.pad(tf.reshape(filter, [kh, 1, kw, 1, cIn * cOut]), [
    [0, 0],
    [0, dilationH - 1],
    [0, 0],
    [0, dilationW - 1],
    [0, 0],
  ]);
  const full = tf.reshape(apart, [kh * dilationH, kw * dilationW, cIn, cOut]) as Tensor4D;
  const size = [(kh - 1) * dilationH + 1, (kw - 1) * dilationW + 1, cIn, cOut];
  return tf.slice(full, [0, 0, 0, 0], size as [number, number, number, number]);
}

function explicitPadding(g: ConvGeometry): tf.backend_util.ExplicitPadding {
  return [
    [0, 0],
    [g.padTop, g.padBottom],
    [g.padLeft, g.padRight],
    [0, 0],
  ];
}

registerComposite<{ x: Tensor4D; filter: Tensor4D } & Masks, ConvGeometry>(
  'ChannelSparseConv2D',
  ({ x, filter, inputMask, outputMask }, g) => {
    if (g.n === 0) return tf.zeros([0, g.outH, g.outW, g.cOut]);
    const y = tf.conv2d(
      dropMasked(x, inputMask),
      dilateFilter(filter, g),
      [g.strideH, g.strideW],
      explicitPadding(g),
    );
    return dropMasked(y, outputMask);
  },
);

registerComposite<{ dy: Tensor4D; filter: Tensor4D } & Masks, ConvGeometry>(
  'ChannelSparseConv2DBackpropInput',
  ({ dy, filter, inputMask, outputMask }, g) => {
    if (g.n === 0) return tf.zeros([0, g.h, g.w, g.cIn]);
    const dx = tf.conv2dTranspose(
      dropMasked(dy, outputMask),
      dilateFilter(filter, g),
      [g.n, g.h, g.w, g.cIn],
      [g.strideH, g.strideW],
      explicitPadding(g),
    );
    return dropMasked(dx, inputMask);
  },
);

// One matrix product per filter tap: tfjs has no public op for this gradient, wasm no kernel, and none knows dilations.
registerComposite<{ x: Tensor4D; dy: Tensor4D } & Masks, ConvGeometry>(
  'ChannelSparseConv2DBackpropFilter',
  ({ x, dy, inputMask, outputMask }, g) => {
    if (g.n === 0) return tf.zeros([g.kh, g.kw, g.cIn, g.cOut]);
    const padded = tf.pad(dropMasked(x, inputMask), explicitPadding(g));
    const dyRows = tf.reshape(dropMasked(dy, outputMask), [-1, g.cOut]) as Tensor2D;
    const taps: Tensor2D[] = [];
    for (let i = 0; i < g.kh; i++) {
      for (let j = 0; j < g.kw; j++) {
        const [top, left] = [i * g.dilationH, j * g.dilationW];
        const seen = tf.stridedSlice(
          padded,
          [0, top, left, 0],
          [g.n, top + (g.outH - 1) * g.strideH + 1, left + (g.outW - 1) * g.strideW + 1, g.cIn],
          [1, g.strideH, g.strideW, 1],
        );
        taps.push(tf.matMul(tf.reshape(seen, [-1, g.cIn]), dyRows, true, false) as Tensor2D);
      }
    }
    return tf.reshape(tf.stack(taps), [g.kh, g.kw, g.cIn, g.cOut]);
  },
);
