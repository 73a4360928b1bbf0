/** Compiles a tf.LayersModel for inference on the native kernels. */
import type * as tf from '@tensorflow/tfjs';
import {
  binding,
  sessionDevice,
  type Binding,
  type DeviceHandle,
  type Precision,
} from '../binding.js';
import { check } from '../errors.js';
import { checkInteger, checkOneOf } from '../ops/checks.js';
import { lower } from './lower.js';
import { encode } from './plan.js';
import { Session } from './session.js';

export interface CompileOptions {
  /**
   * `native` (the CPU, default), `cuda` or `cuda:N` (a GPU), or `emulator` (the CUDA kernels run on the host, slowly, in
   * builds from a clone).
   */
  device?: string;
  /** Of products on a GPU; default `fp32`. See `setPrecision`. */
  precision?: Precision;
  /** The largest batch that a run may have; working memory grows with it, on a GPU to 1 GiB for a run. Default 32. */
  maxBatch?: number;
  /** On the CPU: the most threads that a run takes of those there are (`setThreads`); default all. */
  threads?: number;
  /** On the CPU: choose the kernel of each layer by timing the candidates here, which takes a moment; default true. */
  measure?: boolean;
}

/**
 * Turns a trained network, dense or dynamic, into one native plan: weights packed once, batch norm folded, activations
 * and residual sums part of the convolutions, and of each dynamic layer only the active channels computed. It gives the
 * masks of the model and, within rounding, its logits. The model is copied: it can be trained on or disposed.
 * @param model functional or Sequential, with one input and one output of fixed size; channelsLast
 * @throws FtwtError INVALID_ARGUMENT naming the layer that is not supported, and why; NO_DEVICE, OUT_OF_MEMORY
 * @example
 * const session = compile(model);
 * const { logits, macs } = session.run(images); // Float32Array or tensor [n, h, w, c]
 * session.dispose();
 */
export function compile(model: tf.LayersModel, options: CompileOptions = {}): Session {
  const { device = 'native', precision = 'fp32', maxBatch = 32, measure = true, threads } = options;
  checkInteger('compile', 'maxBatch', maxBatch, 1);
  checkOneOf('compile', 'measure', measure, [true, false]);
  checkOneOf('compile', 'precision', precision, ['fp32', 'tf32']);
  const target = targetOf(device);
  check(
    precision === 'fp32' || target.device !== undefined,
    () => `compile: precision ${precision} needs a GPU, got device ${device}`,
  );
  if (threads !== undefined) {
    checkInteger('compile', 'threads', threads, 1);
    check(
      target.device === undefined,
      () => `compile: threads are of the device native, got device ${device}`,
    );
  }
  const lowered = lower(model);
  const nativeOptions = { maxBatch, measure, threads, precision, device: target.device };
  const handle = target.addon.sessionCompile(encode(lowered.plan), nativeOptions);
  return new Session(lowered, target.addon, handle, maxBatch);
}

function targetOf(device: string): { addon: Binding; device?: DeviceHandle } {
  const [, kind, index] = /^(native|cuda|emulator)(?::(\d+))?$/.exec(device) ?? [];
  check(
    kind !== undefined && (kind !== 'native' || index === undefined),
    () =>
      `compile: expected device native, cuda, cuda:N or emulator, got ${JSON.stringify(device)}`,
  );
  if (kind === 'native') return { addon: binding };
  return sessionDevice(
    kind as 'cuda' | 'emulator',
    index === undefined ? undefined : Number(index),
  );
}
