/** Registers the backend `native`: every kernel of tfjs's cpu backend, ours in place of the slow ones. */
import * as tf from '@tensorflow/tfjs';
import type { KernelFunc } from '@tensorflow/tfjs';
import { registerNativeGradients } from './gradients.js';
import { nativeKernels } from './kernels/index.js';
import type { KernelCall } from './kernels/types.js';
import { NativeBackend } from './nativeBackend.js';

export const backendName = 'native';

/** Called once when the package is imported; calling it again does nothing. */
export function registerNativeBackend(): void {
  if (tf.findBackendFactory(backendName) !== null) return;
  const hostKernels = new Map(
    tf.getKernelsForBackend('cpu').map((kernel) => [kernel.kernelName, kernel]),
  );
  for (const kernel of nativeKernels) {
    const host = hostKernels.get(kernel.kernelName);
    hostKernels.delete(kernel.kernelName);
    const kernelFunc: KernelFunc = ({ inputs, attrs, backend }) => {
      const native = backend as NativeBackend;
      const call = { inputs: inputs as KernelCall['inputs'], attrs: attrs ?? {}, backend: native };
      return (
        native.disposingOutputsOnError(() => kernel.run(call)) ??
        host!.kernelFunc({ inputs, attrs, backend })
      );
    };
    tf.registerKernel({ kernelName: kernel.kernelName, backendName, kernelFunc });
  }
  for (const host of hostKernels.values()) tf.registerKernel({ ...host, backendName });
  registerNativeGradients();
  // Above cpu (1), so that importing the package is enough; below tfjs-node (3).
  tf.registerBackend(backendName, () => new NativeBackend(), 2);
}
