/**
 * The tfjs backends `cuda` and `emulator`: tensors live in device memory, native ops run there, asynchronously and in
 * the order of the calls. Only reading values waits. tfjs's cpu kernels serve as fallback: they see a copy on the host.
 */
import * as tf from '@tensorflow/tfjs';
import type { Device, DeviceBlock, OpTable, Precision } from '../binding.js';
import { copyOf, DeviceData, type ElementType } from './deviceData.js';
import {
  KernelBackend,
  type DataId,
  type Output,
  type TensorInfo,
  type Values,
} from './kernelBackend.js';

/** tf.memory() on a device backend: bytes of device memory. */
export interface DeviceMemoryInfo {
  unreliable: boolean;
  reasons: string[];
  /** In tensors and scratch. */
  numBytesInGPU: number;
  /** Held by the pool, idle blocks included. */
  numBytesInGPUAllocated: number;
  numBytesInGPUFree: number;
}

export class DeviceBackend extends KernelBackend {
  override readonly ops: OpTable;
  override readonly sharesMemory = false;
  /** Of the device among those of its kind. */
  readonly index: number;

  constructor(
    override readonly name: string,
    private readonly device: Device,
  ) {
    super();
    this.ops = device.ops;
    this.index = device.index;
  }

  override write(values: Values, _shape: number[], dtype: tf.DataType): DataId {
    const dataId: DataId = {};
    this.data.set(dataId, DeviceData.onHost(this.device, values, dtype, 1));
    return dataId;
  }

  override move(
    dataId: DataId,
    values: Values,
    _shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    this.data.set(dataId, DeviceData.onHost(this.device, values, dtype, refCount));
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const data = this.data.has(dataId) ? this.slot(dataId) : undefined;
    const disposed = super.disposeData(dataId, force);
    if (disposed) data?.release();
    return disposed;
  }

  override readSync(dataId: DataId): Values {
    const values = super.readSync(dataId);
    return values === this.slot(dataId).hostCopy ? copyOf(values) : values;
  }

  override async read(dataId: DataId): Promise<Values> {
    const data = this.slot(dataId);
    const isComplex = data.complexTensorInfos != null;
    return isComplex ? this.readSync(dataId) : data.read();
  }

  override floats({ dataId }: TensorInfo): DeviceBlock {
    return this.slot(dataId).memory('float32');
  }

  override ints({ dataId }: TensorInfo): DeviceBlock {
    return this.slot(dataId).memory('int32');
  }

  override bytes({ dataId }: TensorInfo): DeviceBlock {
    return this.slot(dataId).memory('bool');
  }

  override hostValues({ dataId }: TensorInfo): Values | undefined {
    return this.slot(dataId).hostCopy;
  }

  override scratch(length: number): DeviceBlock {
    return this.device.allocate(Math.max(1, length) * Float32Array.BYTES_PER_ELEMENT);
  }

  override releaseScratch(block: DeviceBlock): void {
    this.device.release(block);
  }

  override memory(): DeviceMemoryInfo {
    const { used, reserved, free } = this.device.memory();
    return {
      unreliable: false,
      reasons: [],
      numBytesInGPU: used,
      numBytesInGPUAllocated: reserved,
      numBytesInGPUFree: free,
    };
  }

  /** How long the device takes for `f`, in milliseconds. */
  override async time(f: () => void): Promise<tf.BackendTimingInfo> {
    this.device.synchronize();
    const start = tf.util.now();
    f();
    this.device.synchronize();
    return { kernelMs: tf.util.now() - start };
  }

  /** Waits for all work so far; throws what went wrong in it. */
  synchronize(): void {
    this.device.synchronize();
  }

  /** Of the kernels from now on. @throws FtwtError INVALID_ARGUMENT where the device has no TF32 */
  setPrecision(precision: Precision): void {
    this.device.setPrecision(precision);
  }

  /** Gives idle memory back to the driver. */
  trim(): void {
    this.device.trim();
  }

  override dispose(): void {
    this.device.trim();
    super.dispose();
  }

  protected override newOutput(shape: number[], dtype: ElementType): Output<DeviceBlock> {
    const data = DeviceData.onDevice(this.device, dtype, tf.util.sizeFromShape(shape));
    const dataId: DataId = {};
    this.data.set(dataId, data);
    return { info: { dataId, shape, dtype }, values: data.memory(dtype) };
  }

  private slot(dataId: DataId): DeviceData {
    return this.data.get(dataId) as DeviceData;
  }
}
