/** The ops of the current backend on its own memory, without tfjs in between: what the timing of a kernel should see. */
import * as tf from '@tensorflow/tfjs';
import { DeviceBackend } from '../../src/backend/deviceBackend.js';
import type { KernelBackend } from '../../src/backend/kernelBackend.js';
import { FtwtError } from '../../src/errors.js';
import type { Floats, OpTable, Precision } from '../../src/binding.js';

export class Target {
  readonly ops: OpTable;
  readonly precisions: Precision[];
  private readonly backend: KernelBackend;
  private readonly tensors: tf.Tensor[] = [];

  /** Set the device first. */
  constructor() {
    this.backend = tf.backend() as KernelBackend;
    this.ops = this.backend.ops;
    this.precisions = this.hasTf32() ? ['fp32', 'tf32'] : ['fp32'];
  }

  /** Memory with these values, until `release`. */
  floats(values: Float32Array): Floats {
    const tensor = tf.tensor1d(values);
    this.tensors.push(tensor);
    return this.backend.floats(tensor);
  }

  private hasTf32(): boolean {
    if (!(this.backend instanceof DeviceBackend)) return false;
    try {
      this.backend.setPrecision('tf32');
    } catch (error) {
      if (error instanceof FtwtError && error.code === 'INVALID_ARGUMENT') return false;
      throw error;
    }
    this.backend.setPrecision('fp32');
    return true;
  }

  release(): void {
    tf.dispose(this.tensors.splice(0));
    this.synchronize();
  }

  /** Waits for all work so far; throws what went wrong in it. */
  synchronize(): void {
    if (this.backend instanceof DeviceBackend) this.backend.synchronize();
  }

  setPrecision(precision: Precision): void {
    if (this.backend instanceof DeviceBackend) this.backend.setPrecision(precision);
  }
}
