import * as tf from '@tensorflow/tfjs';
import type { NativeKernel } from './types.js';

interface Attrs {
  learningRate: number;
  momentum: number;
  weightDecay: number;
}

/** weight, gradient, velocity -> new weight, new velocity (src/ops/sgdMomentum.ts). */
export const sgdMomentum: NativeKernel = {
  kernelName: 'SgdMomentum',
  run({ inputs, attrs, backend }) {
    const [weight, gradient, velocity] = [inputs.weight, inputs.gradient, inputs.velocity].map(
      (info) => backend.floats(info),
    );
    const newWeight = backend.output(inputs.weight.shape);
    const newVelocity = backend.output(inputs.weight.shape);
    backend.ops.sgdMomentum({
      weight,
      gradient,
      velocity,
      newWeight: newWeight.values,
      newVelocity: newVelocity.values,
      count: tf.util.sizeFromShape(inputs.weight.shape),
      ...(attrs as unknown as Attrs),
    });
    return [newWeight.info, newVelocity.info];
  },
};
