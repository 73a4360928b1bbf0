/** The channel-sparse convolution and its gradients (src/ops/channelSparseConv2d.ts, which has checked the inputs). */
import type { Conv2dFields, SparseConvFields } from '../../binding.js';
import type { KernelCall, NativeKernel } from './types.js';

/** The attributes of these kernels: x [n, h, w, cIn], filter [kh, kw, cIn, cOut], y [n, outH, outW, cOut]. */
export interface ConvGeometry extends Conv2dFields {
  padBottom: number;
  padRight: number;
}

function sharedFields({ inputs, attrs, backend }: KernelCall): SparseConvFields {
  return {
    ...(attrs as unknown as ConvGeometry),
    inputMask: backend.floats(inputs.inputMask),
    outputMask: backend.floats(inputs.outputMask),
  };
}

const forward: NativeKernel = {
  kernelName: 'ChannelSparseConv2D',
  run(call) {
    const { inputs, backend } = call;
    const fields = sharedFields(call);
    const y = backend.output([fields.n, fields.outH, fields.outW, fields.cOut]);
    backend.ops.channelSparseConv2d({
      ...fields,
      x: backend.floats(inputs.x),
      filter: backend.floats(inputs.filter),
      y: y.values,
    });
    return y.info;
  },
};

const backpropInput: NativeKernel = {
  kernelName: 'ChannelSparseConv2DBackpropInput',
  run(call) {
    const { inputs, backend } = call;
    const fields = sharedFields(call);
    const dx = backend.output([fields.n, fields.h, fields.w, fields.cIn]);
    backend.ops.channelSparseConv2dBackpropInput({
      ...fields,
      dy: backend.floats(inputs.dy),
      filter: backend.floats(inputs.filter),
      dx: dx.values,
    });
    return dx.info;
  },
};

const backpropFilter: NativeKernel = {
  kernelName: 'ChannelSparseConv2DBackpropFilter',
  run(call) {
    const { inputs, backend } = call;
    const fields = sharedFields(call);
    const dFilter = backend.output([fields.kh, fields.kw, fields.cIn, fields.cOut]);
    backend.ops.channelSparseConv2dBackpropFilter({
      ...fields,
      x: backend.floats(inputs.x),
      dy: backend.floats(inputs.dy),
      dFilter: dFilter.values,
    });
    return dFilter.info;
  },
};

export const channelSparseConv2dKernels: NativeKernel[] = [forward, backpropInput, backpropFilter];
