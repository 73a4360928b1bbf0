/** One tensor of a device backend: in device memory, on the host, or both. Neither copy ever changes. */
import type * as tf from '@tensorflow/tfjs';
import type { Device, DeviceBlock } from '../binding.js';
import type { TensorInfo, Values } from './kernelBackend.js';

/** How elements lie in device memory. */
export const elementTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
export type ElementType = keyof typeof elementTypes;
type Elements = Float32Array | Int32Array | Uint8Array;

/** What tfjs's cpu kernels read of a tensor: `values`, `dtype`, `refCount` and `complexTensorInfos`. */
export class DeviceData {
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo };
  /** By element type: tfjs stores some tensors under the name of another type, so one may be read as two. */
  private readonly blocks: Partial<Record<ElementType, DeviceBlock>> = {};
  private host: Values | undefined;

  private constructor(
    private readonly device: Device,
    readonly dtype: tf.DataType,
    private readonly length: number,
    public refCount: number,
  ) {}

  static onHost(
    device: Device,
    values: Values | undefined,
    dtype: tf.DataType,
    refCount: number,
  ): DeviceData {
    const data = new DeviceData(device, dtype, values?.length ?? 0, refCount);
    data.host = values;
    return data;
  }

  /** Uninitialised memory of the device. */
  static onDevice(device: Device, dtype: ElementType, length: number): DeviceData {
    const data = new DeviceData(device, dtype, length, 1);
    data.blocks[dtype] = allocate(device, dtype, length);
    return data;
  }

  /** Copied to the host when first asked for, which waits for the device. Not to be changed. */
  get values(): Values | undefined {
    if (this.host === undefined && this.isOnDevice) {
      const target = this.hostArray();
      this.device.download(this.block(), target);
      this.host = target;
    }
    return this.host;
  }

  /** For the copy that tfjs makes when it creates a tensor of parts. */
  set values(values: Values | undefined) {
    this.host = values;
  }

  /** The host's copy, if there is one. */
  get hostCopy(): Values | undefined {
    return this.host;
  }

  /** A copy of the values for the caller to keep; it waits without blocking the event loop. */
  async read(): Promise<Values> {
    if (this.host !== undefined || !this.isOnDevice) return copyOf(this.values!);
    return this.device.downloadAsync(this.block(), this.hostArray());
  }

  /** Elements in device memory, copied there when first asked for. */
  memory(type: ElementType): DeviceBlock {
    const known = this.blocks[type];
    if (known !== undefined) return known;
    const values = this.values as Elements;
    const elements = values instanceof elementTypes[type] ? values : new elementTypes[type](values);
    const block = allocate(this.device, type, elements.length);
    this.device.upload(block, elements);
    this.blocks[type] = block;
    return block;
  }

  /** Frees the device memory. */
  release(): void {
    for (const type of Object.keys(this.blocks) as ElementType[]) {
      this.device.release(this.blocks[type]!);
      delete this.blocks[type];
    }
  }

  private get isOnDevice(): boolean {
    return this.blocks[this.dtype as ElementType] !== undefined;
  }

  private block(): DeviceBlock {
    return this.blocks[this.dtype as ElementType]!;
  }

  private hostArray(): Elements {
    return new elementTypes[this.dtype as ElementType](this.length);
  }
}

/** Arrays of the host may be shared with other tensors, or with whoever made the tensor. */
export function copyOf(values: Values): Values {
  return ArrayBuffer.isView(values) ? (values as Float32Array).slice() : values;
}

function allocate(device: Device, type: ElementType, length: number): DeviceBlock {
  return device.allocate(Math.max(1, length) * elementTypes[type].BYTES_PER_ELEMENT);
}
