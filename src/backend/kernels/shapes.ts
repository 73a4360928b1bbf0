/** Turns shapes into the loop nests that native kernels take (`dims` [rank, 3]: size, stride of a, stride of b). */

/** What a native loop nest can hold (`StridedDims` in native/ops/strided.h, 32-bit sizes). */
const maxRank = 8;
const maxElements = 2 ** 31 - 1;

export interface LoopNest {
  rank: number;
  dims: Int32Array;
}

/** Elements between neighbours along each dimension of a contiguous array. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

/** Strides of an array of `shape` repeated to `target`: 0 where it is broadcast. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = stridesOf(shape);
  const missing = target.length - shape.length;
  return target.map((_, d) => (d < missing || shape[d - missing] === 1 ? 0 : strides[d - missing]));
}

/**
 * Drops sizes of 1 and merges dimensions that both arrays walk as one; `undefined` when the result is too large for a
 * native loop.
 */
export function loopNest(
  shape: readonly number[],
  aStrides: readonly number[],
  bStrides: readonly number[],
): LoopNest | undefined {
  const merged: [size: number, a: number, b: number][] = [];
  let count = 1;
  for (let d = 0; d < shape.length; d++) {
    const size = shape[d];
    count *= size;
    if (size === 1) continue;
    const [a, b] = [aStrides[d], bStrides[d]];
    const last = merged.at(-1);
    if (last !== undefined && last[1] === a * size && last[2] === b * size) {
      last[0] *= size;
      last[1] = a;
      last[2] = b;
    } else {
      merged.push([size, a, b]);
    }
  }
  if (merged.length === 0) merged.push([1, 1, 1]);
  const values = merged.flat();
  if (merged.length > maxRank || count > maxElements) return undefined;
  if (values.some((value) => value > maxElements)) return undefined;
  return { rank: merged.length, dims: Int32Array.from(values) };
}
