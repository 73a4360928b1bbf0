/** The head of a mask predictor and its gradient for x (src/ops/maskPredictor.ts, which has checked the inputs). */
import type { MaskPredictorFields } from '../../binding.js';
import type { KernelCall, NativeKernel } from './types.js';

export interface MaskPredictorAttrs {
  pooling: 'max' | 'average';
  softmax: boolean;
}

function sharedFields({ inputs, attrs, backend }: KernelCall): MaskPredictorFields {
  const { x, weights } = inputs;
  const { pooling, softmax } = attrs as unknown as MaskPredictorAttrs;
  const [n, h, w, cIn] = x.shape;
  return {
    x: backend.floats(x),
    weights: backend.floats(weights),
    n,
    pixels: h * w,
    cIn,
    cOut: weights.shape[1],
    average: pooling === 'average',
    softmax,
  };
}

const forward: NativeKernel = {
  kernelName: 'MaskPredictor',
  run(call) {
    const { inputs, backend } = call;
    const fields = sharedFields(call);
    const maskLogits = backend.output([fields.n, fields.cOut]);
    const features = backend.output([fields.n, fields.cIn]);
    backend.ops.maskPredictor({
      ...fields,
      bias: backend.floats(inputs.bias),
      maskLogits: maskLogits.values,
      features: features.values,
    });
    return [maskLogits.info, features.info];
  },
};

const backpropInput: NativeKernel = {
  kernelName: 'MaskPredictorBackpropInput',
  run(call) {
    const { inputs, backend } = call;
    const dx = backend.output(inputs.x.shape);
    backend.ops.maskPredictorBackpropInput({
      ...sharedFields(call),
      dy: backend.floats(inputs.dy),
      features: backend.floats(inputs.features),
      dx: dx.values,
    });
    return dx.info;
  },
};

export const maskPredictorKernels: NativeKernel[] = [forward, backpropInput];
