import * as tf from '@tensorflow/tfjs';
import type { KernelBackend, TensorInfo } from '../kernelBackend.js';
import type { BatchNormFields } from '../../binding.js';
import type { KernelCall, NativeKernel } from './types.js';

/** In the order of `Activation` in native/ops/batch_norm.h. */
export const activations = ['linear', 'relu', 'relu6'] as const;

interface Inputs {
  x: TensorInfo; // [.., C]
  mean: TensorInfo; // [C]
  variance: TensorInfo; // [C]
  gamma?: TensorInfo; // [C]
  beta?: TensorInfo; // [C]
}

/** The fields that the native ops share; `undefined` unless everything is float32 and the statistics are per channel. */
function batchNormFields(
  backend: KernelBackend,
  { x, mean, variance, gamma, beta }: Inputs,
  epsilon: number,
  activation: (typeof activations)[number] = 'linear',
): BatchNormFields | undefined {
  const c = x.shape.at(-1) ?? 0;
  const perChannel = [mean, variance, gamma, beta].filter((info) => info != null);
  if (c === 0 || x.dtype !== 'float32') return undefined;
  if (!perChannel.every((info) => tf.util.arraysEqual(info.shape, [c]))) return undefined;
  if (!perChannel.every((info) => info.dtype === 'float32')) return undefined;
  return {
    x: backend.floats(x),
    mean: backend.floats(mean),
    variance: backend.floats(variance),
    gamma: gamma == null ? undefined : backend.floats(gamma),
    beta: beta == null ? undefined : backend.floats(beta),
    rows: tf.util.sizeFromShape(x.shape) / c,
    c,
    epsilon,
    activation: activations.indexOf(activation),
  };
}

/** tfjs's names for the same inputs. */
const fromTfjs = ({ x, mean, variance, scale, offset }: KernelCall['inputs']): Inputs => ({
  x,
  mean,
  variance,
  gamma: scale,
  beta: offset,
});

const fusedBatchNorm: NativeKernel = {
  kernelName: 'FusedBatchNorm',
  run({ inputs, attrs, backend }) {
    const { varianceEpsilon } = attrs as { varianceEpsilon?: number };
    const fields = batchNormFields(backend, fromTfjs(inputs), varianceEpsilon ?? 0.001);
    if (fields === undefined) return undefined;
    const { info, values } = backend.output(inputs.x.shape);
    backend.ops.batchNorm({ ...fields, y: values });
    return info;
  },
};

/** Gradients of FusedBatchNorm: dx, dMean, dVariance, dScale, dOffset. For statistics per channel only. */
const fusedBatchNormGrad: NativeKernel = {
  kernelName: 'FusedBatchNormGrad',
  run({ inputs, attrs, backend }) {
    const { varianceEpsilon } = attrs as { varianceEpsilon: number };
    const fields = batchNormFields(backend, fromTfjs(inputs), varianceEpsilon)!;
    const dy = backend.floats(inputs.dy);
    const dx = backend.output(inputs.x.shape);
    const [dMean, dVariance, dGamma, dBeta] = [1, 2, 3, 4].map(() => backend.output([fields.c]));
    backend.ops.batchNormGrad({
      ...fields,
      dy,
      dx: dx.values,
      dMean: dMean.values,
      dVariance: dVariance.values,
      dGamma: dGamma.values,
      dBeta: dBeta.values,
      training: false,
    });
    return [dx, dMean, dVariance, dGamma, dBeta].map(({ info }) => info);
  },
};

interface TrainingAttrs {
  epsilon: number;
  activation: (typeof activations)[number];
}

/** x, gamma, beta -> y, mean, variance (src/ops/batchNormTraining.ts). */
const batchNormTraining: NativeKernel = {
  kernelName: 'BatchNormTraining',
  run({ inputs, attrs, backend }) {
    const { epsilon, activation } = attrs as unknown as TrainingAttrs;
    const { x, gamma, beta } = inputs;
    const [mean, variance] = [backend.output(gamma.shape), backend.output(gamma.shape)];
    const fields = batchNormFields(
      backend,
      { x, gamma, beta, mean: mean.info, variance: variance.info },
      epsilon,
      activation,
    )!;
    const y = backend.output(x.shape);
    const { rows, c } = fields;
    backend.ops.batchStatistics({
      x: fields.x,
      mean: mean.values,
      variance: variance.values,
      rows,
      c,
    });
    backend.ops.batchNorm({ ...fields, y: y.values });
    return [y.info, mean.info, variance.info];
  },
};

/** dy, x, gamma, beta, mean, variance -> dx, dGamma, dBeta. */
const batchNormTrainingGrad: NativeKernel = {
  kernelName: 'BatchNormTrainingGrad',
  run({ inputs, attrs, backend }) {
    const { epsilon, activation } = attrs as unknown as TrainingAttrs;
    const { dy, ...rest } = inputs;
    const fields = batchNormFields(backend, rest as unknown as Inputs, epsilon, activation)!;
    const dyValues = backend.floats(dy);
    const dx = backend.output(inputs.x.shape);
    const [dGamma, dBeta] = [backend.output([fields.c]), backend.output([fields.c])];
    backend.ops.batchNormGrad({
      ...fields,
      dy: dyValues,
      dx: dx.values,
      dGamma: dGamma.values,
      dBeta: dBeta.values,
      training: true,
    });
    return [dx.info, dGamma.info, dBeta.info];
  },
};

export const batchNormKernels: NativeKernel[] = [
  fusedBatchNorm,
  fusedBatchNormGrad,
  batchNormTraining,
  batchNormTrainingGrad,
];
