/** Choosing what tfjs computes on, with errors that say why a device cannot be had. */
import * as tf from '@tensorflow/tfjs';
import { checkDevice, type Precision } from '../binding.js';
import { check, FtwtError } from '../errors.js';
import { DeviceBackend } from './deviceBackend.js';

/** `cuda:1` -> cuda, 1. */
function parse(device: string): { backend: string; index: number | undefined } {
  const match = /^(\w+?)(?::(\d+))?$/.exec(device);
  const [, backend, index] = match ?? [];
  const isGpu = backend === 'cuda' || backend === 'emulator';
  check(
    match !== null && tf.findBackendFactory(backend) !== null && (index === undefined || isGpu),
    () =>
      `setDevice: expected native, cpu, cuda, cuda:N or emulator, got ${JSON.stringify(device)}`,
  );
  return { backend, index: index === undefined ? undefined : Number(index) };
}

/**
 * Makes a device the one that tfjs computes on, as `tf.setBackend` does, but throws where that is not possible.
 * @param device `native` (this package's CPU kernels), `cuda` or `cuda:N` (a GPU), `emulator` (the CUDA kernels run on
 * the host, slowly, in builds from a clone), or any backend that tfjs knows, such as `cpu`
 * @throws FtwtError NO_DEVICE with the driver's reason; INVALID_ARGUMENT for another name, or for another GPU than the
 * one that the backend has opened already
 */
export async function setDevice(device: string): Promise<void> {
  const { backend, index } = parse(device);
  if (backend === 'cuda' || backend === 'emulator') {
    const opened = tf.engine().registry[backend] as DeviceBackend | undefined;
    if (opened === undefined) {
      if (index !== undefined) process.env.FTWT_DEVICE = device;
      checkDevice(backend);
    }
    check(
      opened === undefined || index === undefined || opened.index === index,
      () => `setDevice: expected device ${opened!.index}, which is in use, got ${index}`,
    );
  }
  if (!(await tf.setBackend(backend))) {
    throw new FtwtError('INTERNAL', `The backend ${backend} did not start`);
  }
}

/**
 * Of the products in convolutions and matrix products on the current GPU, from now on: `fp32` (default), or `tf32`, which
 * rounds factors to 10 bits of mantissa and uses tensor cores. Sums are float32 either way.
 * @throws FtwtError INVALID_ARGUMENT on another backend than `cuda`, or a GPU before compute capability 8.0
 */
export function setPrecision(precision: Precision): void {
  const backend = tf.backend();
  check(
    backend instanceof DeviceBackend,
    () => `setPrecision: expected the backend cuda, got ${tf.getBackend()}`,
  );
  backend.setPrecision(precision);
}
