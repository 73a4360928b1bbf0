/** DepthwiseConv2dNative, FusedDepthwiseConv2D and their gradients: NHWC, filters [h, w, cIn, multiplier], float32. */
import type { TensorInfo } from '../nativeBackend.js';
import {
  applyRest,
  type FusedAttributes,
  isKnownActivation,
  nativeActivation,
} from './activation.js';
import {
  allFloat32,
  checkGradientShape,
  type ConvAttributes,
  convFields,
  convInfo,
  isPerChannel,
} from './conv2d.js';
import type { KernelCall, NativeKernel } from './types.js';

function forward({ inputs, attrs, backend }: KernelCall): TensorInfo | undefined {
  const { x, filter, bias, preluActivationWeights } = inputs;
  const attributes = attrs as unknown as ConvAttributes & FusedAttributes;
  const activation = attributes.activation ?? 'linear';
  if (!allFloat32(x, filter, bias) || !isKnownActivation(activation)) return undefined;
  const info = convInfo(x.shape, filter.shape, attributes, true);
  if (info === undefined || !isPerChannel(bias, info.outChannels)) return undefined;
  const y = backend.output(info.outShape);
  backend.binding.depthwiseConv2d({
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
  const info = convInfo(attributes.inputShape, filter.shape, attributes, true);
  if (info === undefined) return undefined;
  checkGradientShape('DepthwiseConv2dNativeBackpropInput', dy, info.outShape);
  const dx = backend.output(info.inShape);
  backend.binding.depthwiseConv2dBackpropInput({
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
  const info = convInfo(x.shape, attributes.filterShape, attributes, true);
  if (info === undefined) return undefined;
  checkGradientShape('DepthwiseConv2dNativeBackpropFilter', dy, info.outShape);
  const dFilter = backend.output(info.filterShape);
  backend.binding.depthwiseConv2dBackpropFilter({
    ...convFields(info),
    x: backend.floats(x),
    dy: backend.floats(dy),
    dFilter: dFilter.values,
  });
  return dFilter.info;
}

export const depthwiseConv2dKernels: NativeKernel[] = [
  { kernelName: 'DepthwiseConv2dNative', run: forward },
  { kernelName: 'FusedDepthwiseConv2D', run: forward },
  { kernelName: 'DepthwiseConv2dNativeBackpropInput', run: backpropInput },
  { kernelName: 'DepthwiseConv2dNativeBackpropFilter', run: backpropFilter },
];
