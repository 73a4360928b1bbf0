/** What the backends `native` and `cuda` share: the contract that kernels are written against. */
import * as tf from '@tensorflow/tfjs';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { Bytes, Floats, Ints, OpTable } from '../binding.js';
import { check } from '../errors.js';

export type Values = tf.backend_util.BackendValues;
export type DataId = tf.DataId;

/** Every tensor-like thing that a kernel gets and returns. */
export type TensorInfo = tf.TensorInfo;

/** A new tensor, and its memory for a native op to fill. */
export interface Output<Memory> {
  info: TensorInfo;
  values: Memory;
}

/**
 * A backend whose kernels are native ops, with tfjs's own cpu kernels for everything else (hence the base class: those
 * read `data.get(id).values`).
 */
export abstract class KernelBackend extends MathBackendCPU {
  /** As tfjs knows it. */
  abstract readonly name: string;
  /** The native ops; they take the memory that the methods below return. */
  abstract readonly ops: OpTable;
  /** Whether a tensor can be a part of another one's memory. */
  abstract readonly sharesMemory: boolean;
  /** What `newOutput` has made for the kernel that runs. */
  private outputs: TensorInfo[] | undefined;

  constructor() {
    super();
    // MathBackendCPU greets with advice to install tfjs-node on its first write.
    (this as unknown as { firstUse: boolean }).firstUse = false;
    this.data = new tf.DataStorage(this, {
      moveData(backend, dataId) {
        // tfjs asks for data of another backend the same way as for data that is gone, and fails obscurely for the latter.
        check(
          tf.engine().state.tensorInfo.has(dataId),
          () => 'Expected a tensor that is not disposed',
        );
        tf.engine().moveData(backend, dataId);
      },
    });
  }

  /** The values of a tensor as float32, converted where tfjs stored another type under that name. */
  abstract floats(info: TensorInfo): Floats;

  /** The values of a tensor as int32 (see `floats`). */
  abstract ints(info: TensorInfo): Ints;

  /** The values of a tensor as bytes (see `floats`). */
  abstract bytes(info: TensorInfo): Bytes;

  /** The values of a tensor, where they are on the host anyway. */
  abstract hostValues(info: TensorInfo): Values | undefined;

  /** Memory for `length` floats that lives until `releaseScratch`. */
  abstract scratch(length: number): Floats;

  abstract releaseScratch(memory: Floats): void;

  /** A new float32 tensor with uninitialised values, for a kernel to fill. */
  output(shape: number[]): Output<Floats> {
    return this.tracked(this.newOutput(shape, 'float32') as Output<Floats>);
  }

  /** The same for a bool tensor. */
  boolOutput(shape: number[]): Output<Bytes> {
    return this.tracked(this.newOutput(shape, 'bool') as Output<Bytes>);
  }

  /** The same for an int32 tensor. */
  intOutput(shape: number[]): Output<Ints> {
    return this.tracked(this.newOutput(shape, 'int32') as Output<Ints>);
  }

  protected abstract newOutput(
    shape: number[],
    dtype: 'float32' | 'int32' | 'bool',
  ): Output<Floats | Ints | Bytes>;

  /** Runs a kernel. Should it throw, the outputs that it has made so far are disposed. */
  disposingOutputsOnError<T>(kernel: () => T): T {
    const outer = this.outputs;
    const outputs: TensorInfo[] = [];
    this.outputs = outputs;
    try {
      return kernel();
    } catch (error) {
      for (const { dataId } of outputs) this.disposeData(dataId, true);
      throw error;
    } finally {
      this.outputs = outer;
    }
  }

  private tracked<T>(output: Output<T>): Output<T> {
    this.outputs?.push(output.info);
    return output;
  }
}
