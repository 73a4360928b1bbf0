/**
 * Recycles large buffers. A fresh block costs a page fault per 4 KiB, which takes longer than most element-wise kernels.
 *
 * tfjs's host kernels alias: Slice and friends return subarrays, and readSync hands out the array itself. A buffer is
 * therefore counted by the tensors that use it, and goes back on the shelf only when the last one is disposed and
 * nobody outside has seen it. Otherwise it is left to the garbage collector.
 */
import type { Binding } from '../binding.js';

type Allocate = Binding['allocate'];

interface Block {
  bytes: number;
  /** Tensors whose values live in this block. */
  users: number;
  /** Handed to code that may keep it: never recycle. */
  exposed: boolean;
}

/** Buffers below this many bytes come from the JavaScript heap. */
const smallest = 16 * 1024;

export class BufferPool {
  private readonly blocks = new WeakMap<ArrayBufferLike, Block>();
  private readonly shelves = new Map<number, ArrayBuffer[]>();
  private shelved = 0;

  constructor(
    private readonly allocate: Allocate,
    /** Idle bytes kept for reuse; beyond that, freed blocks are left to the garbage collector. */
    private readonly capacity = 2 ** 31,
  ) {}

  /** Idle bytes on the shelves. */
  get idleBytes(): number {
    return this.shelved;
  }

  /** An uninitialised array; count it with `retain` once a tensor holds it. */
  floats(length: number): Float32Array {
    if (length * 4 < smallest) return new Float32Array(length);
    const bytes = sizeClass(length * 4);
    const shelf = this.shelves.get(bytes);
    let buffer = shelf?.pop();
    if (buffer === undefined) {
      buffer = this.allocate(bytes);
      this.blocks.set(buffer, { bytes, users: 0, exposed: false });
    } else {
      this.shelved -= bytes;
    }
    return new Float32Array(buffer, 0, length);
  }

  /** One more tensor holds `values`. */
  retain(values: unknown): void {
    const block = this.blockOf(values);
    if (block !== undefined) block.users++;
  }

  /** One tensor fewer holds `values`. */
  release(values: unknown): void {
    const block = this.blockOf(values);
    if (block === undefined || --block.users > 0 || block.exposed) return;
    if (this.shelved + block.bytes > this.capacity) return;
    const shelf = this.shelves.get(block.bytes);
    const buffer = (values as Float32Array).buffer as ArrayBuffer;
    if (shelf === undefined) this.shelves.set(block.bytes, [buffer]);
    else shelf.push(buffer);
    this.shelved += block.bytes;
  }

  /** `values` leaves the backend: whoever got it may keep it. */
  expose(values: unknown): void {
    const block = this.blockOf(values);
    if (block !== undefined) block.exposed = true;
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
