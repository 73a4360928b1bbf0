/**
 * Convolutions, dense and depthwise, and their gradients: NHWC, float32; filters HWIO, or [h, w, cIn, multiplier] of
 * depthwise ones.
 */
import * as tf from '@tensorflow/tfjs';
import type { Conv2dFields, OpTable } from '../../binding.js';
import type { TensorInfo } from '../kernelBackend.js';
import {
  applyRest,
  type FusedAttributes,
  isKnownActivation,
  nativeActivation,
} from './activation.js';
import { checkGradientShape, checkWindowFits } from './checks.js';
import type { KernelCall, NativeKernel } from './types.js';

type Shape4D = [number, number, number, number];

/** The fields of a convolution that every native convolution op reads. */
function convFields(info: tf.backend_util.Conv2DInfo): Conv2dFields {
  return {
    n: info.batchSize,
    h: info.inHeight,
    w: info.inWidth,
    cIn: info.inChannels,
    kh: info.filterHeight,
    kw: info.filterWidth,
    cOut: info.outChannels,
    outH: info.outHeight,
    outW: info.outWidth,
    strideH: info.strideHeight,
    strideW: info.strideWidth,
    padTop: info.padInfo.top,
    padLeft: info.padInfo.left,
    dilationH: info.dilationHeight,
    dilationW: info.dilationWidth,
  };
}

/** Attributes of the convolution kernels. The gradient kernels leave `dilations` out; tf.layers' depthwise layer gives null. */
interface ConvAttributes {
  strides: number | [number, number];
  pad: Parameters<typeof tf.backend_util.computeConv2DInfo>[4];
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: number | [number, number] | null;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** The geometry of a convolution, or `undefined` for a layout that the native kernels have not. */
function convInfo(
  op: string,
  xShape: number[],
  filterShape: number[],
  { strides, pad, dataFormat = 'NHWC', dilations, dimRoundingMode }: ConvAttributes,
  depthwise = false,
): tf.backend_util.Conv2DInfo | undefined {
  if (dataFormat !== 'NHWC') return undefined;
  const info = tf.backend_util.computeConv2DInfo(
    xShape as Shape4D,
    filterShape as Shape4D,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
  );
  checkWindowFits(op, info);
  return info;
}

export function allFloat32(...tensors: (TensorInfo | undefined)[]): boolean {
  return tensors.every((tensor) => tensor === undefined || tensor.dtype === 'float32');
}

/** Whether the native kernels can add `bias`: one value per channel. tfjs adds any shape that broadcasts to the output. */
export function isPerChannel(bias: TensorInfo | undefined, channels: number): boolean {
  if (bias === undefined) return true;
  return bias.shape.at(-1) === channels && tf.util.sizeFromShape(bias.shape) === channels;
}

/** How a dense and a depthwise convolution differ here. */
interface Family {
  depthwise: boolean;
  /** Kernel names in tfjs: two of the forward pass, then the gradients. */
  names: { forward: string[]; backpropInput: string; backpropFilter: string };
  select(ops: OpTable): {
    forward: OpTable['conv2d'];
    backpropInput: OpTable['conv2dBackpropInput'];
    backpropFilter: OpTable['conv2dBackpropFilter'];
  };
}

function convolutionKernels({ depthwise, names, select }: Family): NativeKernel[] {
  function forward({ inputs, attrs, backend }: KernelCall): TensorInfo | undefined {
    const { x, filter, bias, preluActivationWeights } = inputs;
    const attributes = attrs as unknown as ConvAttributes & FusedAttributes;
    const activation = attributes.activation ?? 'linear';
    if (!allFloat32(x, filter, bias) || !isKnownActivation(activation)) return undefined;
    const info = convInfo(names.forward[0], x.shape, filter.shape, attributes, depthwise);
    if (info === undefined || !isPerChannel(bias, info.outChannels)) return undefined;
    const y = backend.output(info.outShape);
    select(backend.ops).forward({
      ...convFields(info),
      x: backend.floats(x),
      filter: backend.floats(filter),
      bias: bias === undefined ? undefined : backend.floats(bias),
      activation: nativeActivation(activation),
      y: y.values,
    });
    return applyRest(y.info, attributes, preluActivationWeights, backend);
  }

  function backpropInput({ inputs, attrs, backend }: KernelCall): TensorInfo | undefined {
    const { dy, filter } = inputs;
    const attributes = attrs as unknown as ConvAttributes & { inputShape: number[] };
    if (!allFloat32(dy, filter)) return undefined;
    const info = convInfo(
      names.backpropInput,
      attributes.inputShape,
      filter.shape,
      attributes,
      depthwise,
    );
    if (info === undefined) return undefined;
    checkGradientShape(names.backpropInput, dy, info.outShape);
    const dx = backend.output(info.inShape);
    select(backend.ops).backpropInput({
      ...convFields(info),
      dy: backend.floats(dy),
      filter: backend.floats(filter),
      dx: dx.values,
    });
    return dx.info;
  }

  function backpropFilter({ inputs, attrs, backend }: KernelCall): TensorInfo | undefined {
    const { x, dy } = inputs;
    const attributes = attrs as unknown as ConvAttributes & { filterShape: number[] };
    if (!allFloat32(x, dy)) return undefined;
    const info = convInfo(
      names.backpropFilter,
      x.shape,
      attributes.filterShape,
      attributes,
      depthwise,
    );
    if (info === undefined) return undefined;
    checkGradientShape(names.backpropFilter, dy, info.outShape);
    const dFilter = backend.output(info.filterShape);
    select(backend.ops).backpropFilter({
      ...convFields(info),
      x: backend.floats(x),
      dy: backend.floats(dy),
      dFilter: dFilter.values,
    });
    return dFilter.info;
  }

  return [
    ...names.forward.map((kernelName) => ({ kernelName, run: forward })),
    { kernelName: names.backpropInput, run: backpropInput },
    { kernelName: names.backpropFilter, run: backpropFilter },
  ];
}

export const conv2dKernels = convolutionKernels({
  depthwise: false,
  names: {
    forward: ['Conv2D', 'FusedConv2D'],
    backpropInput: 'Conv2DBackpropInput',
    backpropFilter: 'Conv2DBackpropFilter',
  },
  select: (ops) => ({
    forward: ops.conv2d,
    backpropInput: ops.conv2dBackpropInput,
    backpropFilter: ops.conv2dBackpropFilter,
  }),
});

export const depthwiseConv2dKernels = convolutionKernels({
  depthwise: true,
  names: {
    forward: ['DepthwiseConv2dNative', 'FusedDepthwiseConv2D'],
    backpropInput: 'DepthwiseConv2dNativeBackpropInput',
    backpropFilter: 'DepthwiseConv2dNativeBackpropFilter',
  },
  select: (ops) => ({
    forward: ops.depthwiseConv2d,
    backpropInput: ops.depthwiseConv2dBackpropInput,
    backpropFilter: ops.depthwiseConv2dBackpropFilter,
  }),
});
