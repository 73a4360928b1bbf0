/** Registers the backends: every kernel of tfjs's cpu backend, native ops in place of the slow ones. */
import * as tf from '@tensorflow/tfjs';
import type { KernelFunc } from '@tensorflow/tfjs';
import { openDevice } from '../binding.js';
import { DeviceBackend } from './deviceBackend.js';
import { registerNativeGradients } from './gradients.js';
import type { KernelBackend } from './kernelBackend.js';
import { nativeKernels } from './kernels/index.js';
import type { KernelCall } from './kernels/types.js';
import { NativeBackend } from './nativeBackend.js';

/** The backends of this package. `emulator` runs the CUDA kernels on the host, slowly, for tests. */
export const backendNames = ['native', 'cuda', 'emulator'] as const;
export type BackendName = (typeof backendNames)[number];

/**
 * tfjs starts with the backend of the highest priority. Above cpu (1), so that importing the package is enough; below
 * tfjs-node (3). Device backends are a choice to make: below all.
 */
const priorities: Record<BackendName, number> = { native: 2, cuda: 0, emulator: -1 };

const factories: Record<BackendName, () => KernelBackend> = {
  native: () => new NativeBackend(),
  cuda: () => new DeviceBackend('cuda', openDevice('cuda')),
  emulator: () => new DeviceBackend('emulator', openDevice('emulator')),
};

/** Whether a backend of tfjs runs native ops. */
export function isNativeBackend(name: string): boolean {
  return (backendNames as readonly string[]).includes(name);
}

/** Called once when the package is imported; calling it again does nothing. */
export function registerBackends(): void {
  if (tf.findBackendFactory('native') !== null) return;
  for (const name of backendNames) {
    registerKernels(name);
    tf.registerBackend(name, factories[name], priorities[name]);
  }
  registerNativeGradients();
}

function registerKernels(backendName: BackendName): void {
  const hostKernels = new Map(
    tf.getKernelsForBackend('cpu').map((kernel) => [kernel.kernelName, kernel]),
  );
  for (const kernel of nativeKernels) {
    const host = hostKernels.get(kernel.kernelName);
    hostKernels.delete(kernel.kernelName);
    const kernelFunc: KernelFunc = ({ inputs, attrs, backend }) => {
      const native = backend as KernelBackend;
      const call = { inputs: inputs as KernelCall['inputs'], attrs: attrs ?? {}, backend: native };
      return (
        native.disposingOutputsOnError(() => kernel.run(call)) ??
        host!.kernelFunc({ inputs, attrs, backend })
      );
    };
    tf.registerKernel({ kernelName: kernel.kernelName, backendName, kernelFunc });
  }
  for (const host of hostKernels.values()) tf.registerKernel({ ...host, backendName });
}
