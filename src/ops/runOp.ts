/**
 * How the custom ops run: as tfjs kernels with a registered gradient. A backend without a kernel of ours gets the
 * composite of stock ops the first time it runs the op, so there is one gradient, whatever computes the forward pass.
 */
import * as tf from '@tensorflow/tfjs';
import type { KernelFunc, NamedAttrMap, NamedTensorMap, Tensor } from '@tensorflow/tfjs';

/** A kernel made of stock ops. It runs inside a tidy and off the tape. */
export type Composite<Inputs, Attrs> = (inputs: Inputs, attrs: Attrs) => Tensor | Tensor[];

const composites = new Map<string, KernelFunc>();

/** Declares the composite of the kernel `kernelName`. */
export function registerComposite<Inputs, Attrs = object>(
  kernelName: string,
  composite: Composite<Inputs, Attrs>,
): void {
  composites.set(kernelName, ({ inputs, attrs }) =>
    // Inside the engine the inputs of a kernel are tensors.
    tf.tidy(() => composite(inputs as Inputs, attrs as Attrs)),
  );
}

/** Names of the kernels that have a composite. */
export function compositeNames(): string[] {
  return [...composites.keys()];
}

/** Runs a kernel of ours on the current backend, which may be any. Call it inside a tidy. */
export function runOp<T extends Tensor | Tensor[]>(
  kernelName: string,
  inputs: Record<string, Tensor>,
  attrs: object = {},
): T {
  const backendName = tf.getBackend();
  if (tf.getKernel(kernelName, backendName) == null) {
    tf.registerKernel({ kernelName, backendName, kernelFunc: composites.get(kernelName)! });
  }
  return tf.engine().runKernel(kernelName, inputs as NamedTensorMap, attrs as NamedAttrMap) as T;
}

const offTape = 'WithoutGradient';
registerComposite<object, { body: () => Tensor }>(offTape, (_, { body }) => body());

/**
 * What `body` returns, as a constant: nothing in it is recorded for the backward pass. A zero gradient would do the
 * same on paper, but tfjs would first compute the gradient that it multiplies by zero.
 */
export function withoutGradient<T extends Tensor>(body: () => T): T {
  return runOp(offTape, {}, { body });
}
