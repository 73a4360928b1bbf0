/** The tfjs backend `native`: host memory and the CPU's kernels. */
import * as tf from '@tensorflow/tfjs';
import { binding, type OpTable } from '../binding.js';
import { FtwtError } from '../errors.js';
import {
  KernelBackend,
  type DataId,
  type Output,
  type TensorInfo,
  type Values,
} from './kernelBackend.js';
import { BufferPool, type ArrayType } from './pool.js';

const arrayTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

export class NativeBackend extends KernelBackend {
  override readonly name = 'native';
  override readonly ops: OpTable = binding;
  override readonly sharesMemory = true;
  private readonly pool = new BufferPool((bytes) => binding.allocate(bytes));

  override write(values: Values, shape: number[], dtype: tf.DataType): DataId {
    this.pool.retain(values);
    return super.write(values, shape, dtype) as DataId;
  }

  override move(
    dataId: DataId,
    values: Values,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    this.pool.retain(values);
    super.move(dataId, values, shape, dtype, refCount);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const values = this.data.has(dataId) ? this.data.get(dataId).values : undefined;
    const disposed = super.disposeData(dataId, force);
    if (disposed) this.pool.release(values);
    return disposed;
  }

  /** A copy where the values lie in the pool: what the caller keeps must not be recycled. */
  override readSync(dataId: DataId): Values {
    const values = super.readSync(dataId);
    return this.pool.owns(values) ? (values as Float32Array).slice() : values;
  }

  override floats(info: TensorInfo): Float32Array {
    const { values } = this.data.get(info.dataId);
    return values instanceof Float32Array ? values : new Float32Array(values as Int32Array);
  }

  override ints(info: TensorInfo): Int32Array {
    const { values } = this.data.get(info.dataId);
    return values instanceof Int32Array ? values : new Int32Array(values as Float32Array);
  }

  override bytes(info: TensorInfo): Uint8Array {
    const { values } = this.data.get(info.dataId);
    return values instanceof Uint8Array ? values : new Uint8Array(values as Float32Array);
  }

  override hostValues(info: TensorInfo): Values {
    return this.data.get(info.dataId).values!;
  }

  override scratch(length: number): Float32Array {
    const values = this.allocate(Float32Array, length);
    this.pool.retain(values);
    return values;
  }

  override releaseScratch(values: Float32Array): void {
    this.pool.release(values);
  }

  /** Bytes of idle blocks that the next kernels will reuse. */
  get idleBytes(): number {
    return this.pool.idleBytes;
  }

  /** Gives idle memory back. */
  trim(): void {
    this.pool.trim();
  }

  override dispose(): void {
    this.pool.trim();
    super.dispose();
  }

  protected override newOutput(
    shape: number[],
    dtype: 'float32' | 'int32' | 'bool',
  ): Output<Float32Array | Int32Array | Uint8Array> {
    const type: ArrayType<Float32Array | Int32Array | Uint8Array> = arrayTypes[dtype];
    const values = this.allocate(type, tf.util.sizeFromShape(shape));
    return { info: this.makeTensorInfo(shape, dtype, values), values };
  }

  private allocate<T>(type: ArrayType<T>, length: number): T {
    try {
      return this.pool.take(type, length);
    } catch (error) {
      if (!(error instanceof FtwtError) || error.code !== 'OUT_OF_MEMORY') throw error;
      this.pool.trim();
      return this.pool.take(type, length);
    }
  }
}
