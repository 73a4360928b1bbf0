/** BatchMatMul and _FusedMatMul, float32. */
import * as tf from '@tensorflow/tfjs';
import type { TensorInfo } from '../kernelBackend.js';
import {
  applyRest,
  type FusedAttributes,
  isKnownActivation,
  nativeActivation,
} from './activation.js';
import { allFloat32, isPerChannel } from './convolution.js';
import type { KernelCall, NativeKernel } from './types.js';

interface MatmulAttributes extends FusedAttributes {
  transposeA: boolean;
  transposeB: boolean;
}

/** Whether matrix i of the result reads matrix i % size(shape): the dimensions of `shape` repeat as a whole. */
function repeatsWhole(shape: number[], resultShape: number[]): boolean {
  const firstUsed = shape.findIndex((size) => size !== 1);
  const used = firstUsed < 0 ? [] : shape.slice(firstUsed);
  return used.every((size, i) => size === resultShape[resultShape.length - used.length + i]);
}

function run({ inputs, attrs, backend }: KernelCall): TensorInfo | undefined {
  const { a, b, bias, preluActivationWeights } = inputs;
  const attributes = attrs as unknown as MatmulAttributes;
  const { transposeA, transposeB, activation = 'linear' } = attributes;
  if (!allFloat32(a, b, bias) || !isKnownActivation(activation)) return undefined;

  const aOuter = a.shape.slice(0, -2);
  const bOuter = b.shape.slice(0, -2);
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(aOuter, bOuter);
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [bDepth, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  // The host kernel also words the error for matrices that do not fit.
  if (k !== bDepth || !isPerChannel(bias, n)) return undefined;
  if (!repeatsWhole(aOuter, outer) || !repeatsWhole(bOuter, outer)) return undefined;

  const y = backend.output([...outer, m, n]);
  backend.ops.matmul({
    batch: tf.util.sizeFromShape(outer),
    m,
    k,
    n,
    aBatch: tf.util.sizeFromShape(aOuter),
    bBatch: tf.util.sizeFromShape(bOuter),
    transposeA: transposeA ?? false,
    transposeB: transposeB ?? false,
    a: backend.floats(a),
    b: backend.floats(b),
    bias: bias === undefined ? undefined : backend.floats(bias),
    activation: nativeActivation(activation),
    y: y.values,
  });
  return applyRest(y.info, attributes, preluActivationWeights, backend);
}

export const matmulKernels: NativeKernel[] = [
  { kernelName: 'BatchMatMul', run },
  { kernelName: '_FusedMatMul', run },
];
