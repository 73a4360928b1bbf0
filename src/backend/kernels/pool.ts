import * as tf from '@tensorflow/tfjs';
import type { PoolFields } from '../../binding.js';
import type { TensorInfo } from '../kernelBackend.js';
import { checkGradientShape, checkWindowFits } from './checks.js';
import type { KernelCall, NativeKernel } from './types.js';

type Size = number | [number, number];

interface Attrs {
  filterSize: Size;
  strides: Size;
  pad: 'same' | 'valid' | number;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** Throws tfjs's own errors where the attributes do not fit the shape. */
function poolFields(
  op: string,
  x: TensorInfo,
  attrs: KernelCall['attrs'],
  average: boolean,
): { fields: PoolFields; outShape: number[]; isIdentity: boolean } {
  const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as Attrs;
  const info = tf.backend_util.computePool2DInfo(
    x.shape as [number, number, number, number],
    filterSize,
    strides,
    1, // these kernels know no dilation
    pad,
    dimRoundingMode,
  );
  checkWindowFits(op, info);
  return {
    fields: {
      average,
      n: info.batchSize,
      h: info.inHeight,
      w: info.inWidth,
      c: info.inChannels,
      outH: info.outHeight,
      outW: info.outWidth,
      windowH: info.filterHeight,
      windowW: info.filterWidth,
      strideH: info.strideHeight,
      strideW: info.strideWidth,
      padTop: info.padInfo.top,
      padLeft: info.padInfo.left,
    },
    outShape: info.outShape,
    isIdentity:
      info.filterHeight === 1 &&
      info.filterWidth === 1 &&
      tf.util.arraysEqual(info.inShape, info.outShape),
  };
}

const poolKernel = (kernelName: string, average: boolean): NativeKernel => ({
  kernelName,
  run({ inputs: { x }, attrs, backend }) {
    if (x.dtype !== 'float32') return undefined;
    const { fields, outShape, isIdentity } = poolFields(kernelName, x, attrs, average);
    if (isIdentity) return undefined; // the host kernel shares x's memory
    const input = backend.floats(x);
    const { info, values } = backend.output(outShape);
    backend.ops.pool({ ...fields, x: input, y: values });
    return info;
  },
});

const maxPoolGrad: NativeKernel = {
  kernelName: 'MaxPoolGrad',
  run({ inputs: { dy, input, output }, attrs, backend }) {
    if (input.dtype !== 'float32' || dy.dtype !== 'float32') return undefined;
    const { fields, outShape } = poolFields('MaxPoolGrad', input, attrs, false);
    checkGradientShape('MaxPoolGrad', dy, outShape);
    const [x, y, dyValues] = [input, output, dy].map((info) => backend.floats(info));
    const { info, values } = backend.output(input.shape);
    backend.ops.poolGrad({ ...fields, x, y, dy: dyValues, dx: values });
    return info;
  },
};

/** Unlike tfjs's own kernel, divides by the cells inside the image, as the forward pass does. */
const avgPoolGrad: NativeKernel = {
  kernelName: 'AvgPoolGrad',
  run({ inputs: { dy, input }, attrs, backend }) {
    if (dy.dtype !== 'float32') return undefined;
    const { fields, outShape } = poolFields('AvgPoolGrad', input, attrs, true);
    checkGradientShape('AvgPoolGrad', dy, outShape);
    const dyValues = backend.floats(dy);
    const { info, values } = backend.output(input.shape);
    backend.ops.poolGrad({ ...fields, dy: dyValues, dx: values });
    return info;
  },
};

export const poolKernels: NativeKernel[] = [
  poolKernel('MaxPool', false),
  poolKernel('AvgPool', true),
  maxPoolGrad,
  avgPoolGrad,
];
