/**
 * Recycles large buffers. A fresh block costs a page fault per 4 KiB, which takes longer than most element-wise kernels.
 *
 * tfjs's host kernels alias: Slice and friends return subarrays. A block is therefore counted by the tensors whose values
 * live in it, and goes back on the shelf when the last one is disposed. Nothing outside the backend may hold an array of
 * the pool (NativeBackend.readSync copies).
 */
import type { Binding } from '../binding.js';

type Allocate = Binding['allocate'];

/** Constructor of a typed array. */
export type ArrayType<T> = {
  new (length: number): T;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
  BYTES_PER_ELEMENT: number;
};

interface Block {
  bytes: number;
  /** Tensors whose values live in this block. */
  users: number;
}

/** Buffers below this many bytes come from the JavaScript heap. */
const smallest = 16 * 1024;

export class BufferPool {
  private readonly blocks = new WeakMap<ArrayBufferLike, Block>();
  private readonly shelves = new Map<number, ArrayBuffer[]>();
  private shelved = 0;

  constructor(
    private readonly allocate: Allocate,
    /** Idle bytes kept for reuse; blocks dropped from the shelves are left to the garbage collector. */
    private readonly capacity = 2 ** 31,
  ) {}

  /** Idle bytes on the shelves. */
  get idleBytes(): number {
    return this.shelved;
  }

  /** An array with arbitrary values; count it with `retain` once a tensor holds it. */
  take<T>(type: ArrayType<T>, length: number): T {
    if (length * type.BYTES_PER_ELEMENT < smallest) return new type(length);
    const bytes = sizeClass(length * type.BYTES_PER_ELEMENT);
    let buffer = this.shelves.get(bytes)?.pop();
    if (buffer === undefined) {
      buffer = this.allocate(bytes);
      this.blocks.set(buffer, { bytes, users: 0 });
    } else {
      this.shelved -= bytes;
    }
    return new type(buffer, 0, length);
  }

  /** Whether `values` lie in a block of this pool. */
  owns(values: unknown): boolean {
    return this.blockOf(values) !== undefined;
  }

  /** One more tensor holds `values`. */
  retain(values: unknown): void {
    const block = this.blockOf(values);
    if (block !== undefined) block.users++;
  }

  /** One tensor fewer holds `values`. */
  release(values: unknown): void {
    const block = this.blockOf(values);
    if (block === undefined || --block.users > 0) return;
    if (block.bytes > this.capacity) return;
    // Full of blocks that were not asked for again: shapes have changed.
    if (this.shelved + block.bytes > this.capacity) this.trim();
    const shelf = this.shelves.get(block.bytes);
    const buffer = (values as ArrayBufferView).buffer as ArrayBuffer;
    if (shelf === undefined) this.shelves.set(block.bytes, [buffer]);
    else shelf.push(buffer);
    this.shelved += block.bytes;
  }

  /** Drops all idle blocks. */
  trim(): void {
    this.shelves.clear();
    this.shelved = 0;
  }

  private blockOf(values: unknown): Block | undefined {
    if (!ArrayBuffer.isView(values) || values.buffer.byteLength < smallest) return undefined;
    return this.blocks.get(values.buffer);
  }
}

/** Rounds up to one of eight steps per power of two, so that similar shapes share blocks and at most 1/8 is wasted. */
function sizeClass(bytes: number): number {
  const step = Math.max(4096, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}
