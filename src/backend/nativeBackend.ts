/** The tfjs backend `native`: host memory, native kernels, and tfjs's own cpu kernels for everything else. */
import * as tf from '@tensorflow/tfjs';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { binding, type Binding } from '../binding.js';
import { check, FtwtError } from '../errors.js';
import { BufferPool, type ArrayType } from './pool.js';

type Values = tf.backend_util.BackendValues;
type DataId = tf.DataId;

/** Every tensor-like thing that a kernel gets and returns. */
export type TensorInfo = tf.TensorInfo;

export class NativeBackend extends MathBackendCPU {
  readonly binding: Binding = binding;
  /** What `output` and the like have made for the kernel that runs. */
  private outputs: TensorInfo[] | undefined;
  private readonly pool = new BufferPool((bytes) => binding.allocate(bytes));

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

  /** The values of a tensor as float32, converted where tfjs stored another type under that name. */
  floats(info: TensorInfo): Float32Array {
    const { values } = this.data.get(info.dataId);
    return values instanceof Float32Array ? values : new Float32Array(values as Int32Array);
  }

  /** The values of a tensor as int32 (see `floats`). */
  ints(info: TensorInfo): Int32Array {
    const { values } = this.data.get(info.dataId);
    return values instanceof Int32Array ? values : new Int32Array(values as Float32Array);
  }

  /** The values of a tensor as bytes (see `floats`). */
  bytes(info: TensorInfo): Uint8Array {
    const { values } = this.data.get(info.dataId);
    return values instanceof Uint8Array ? values : new Uint8Array(values as Float32Array);
  }

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

  /** A new float32 tensor with uninitialised values, for a kernel to fill. */
  output(shape: number[]): { info: TensorInfo; values: Float32Array } {
    return this.newOutput(Float32Array, shape, 'float32');
  }

  /** The same for a bool tensor. */
  boolOutput(shape: number[]): { info: TensorInfo; values: Uint8Array } {
    return this.newOutput(Uint8Array, shape, 'bool');
  }

  /** The same for an int32 tensor. */
  intOutput(shape: number[]): { info: TensorInfo; values: Int32Array } {
    return this.newOutput(Int32Array, shape, 'int32');
  }

  /** Scratch that lives until `releaseScratch`. */
  scratch(length: number): Float32Array {
    const values = this.allocate(Float32Array, [length]);
    this.pool.retain(values);
    return values;
  }

  releaseScratch(values: Float32Array): void {
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

  private newOutput<T extends Float32Array | Int32Array | Uint8Array>(
    type: ArrayType<T>,
    shape: number[],
    dtype: tf.DataType,
  ): { info: TensorInfo; values: T } {
    const values = this.allocate(type, shape);
    const info = this.makeTensorInfo(shape, dtype, values);
    this.outputs?.push(info);
    return { info, values };
  }

  private allocate<T>(type: ArrayType<T>, shape: number[]): T {
    const length = tf.util.sizeFromShape(shape);
    try {
      return this.pool.take(type, length);
    } catch (error) {
      if (!(error instanceof FtwtError) || error.code !== 'OUT_OF_MEMORY') throw error;
      this.pool.trim();
      return this.pool.take(type, length);
    }
  }
}
