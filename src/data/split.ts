/** Checks on splits, shared by everything that reads one. */
import { check } from '../errors.js';
import type { Split } from './types.js';

/** @throws FtwtError INVALID_ARGUMENT unless the arrays of `split` are as long as its count and shape say */
export function checkSplit(split: Split, caller: string): void {
  const { images, labels, count, shape } = split;
  check(
    shape.length === 3 && shape.every((size) => Number.isInteger(size) && size >= 1),
    () => `${caller}: shape must be [h, w, c] with sizes >= 1, got [${shape.join(', ')}]`,
  );
  check(
    Number.isInteger(count) && count >= 1,
    () => `${caller}: the split must hold at least one image, got count ${count}`,
  );
  check(
    images instanceof Uint8Array,
    () => `${caller}: images must be a Uint8Array, got ${images?.constructor?.name ?? images}`,
  );
  const bytes = count * shape[0] * shape[1] * shape[2];
  check(
    images.length === bytes,
    () =>
      `${caller}: ${count} images of [${shape.join(', ')}] take ${bytes} bytes, got ${images.length}`,
  );
  check(labels.length === count, () => `${caller}: expected ${count} labels, got ${labels.length}`);
}
