/** The one numeric comparison: prints the worst element and its index. */
import assert from 'node:assert/strict';
import type { Tensor } from '@tensorflow/tfjs';

export interface Tolerance {
  absolute?: number;
  relative?: number;
}

type Numbers = ArrayLike<number>;

/** Asserts |actual - expected| <= absolute + relative * |expected| for every element; NaN and Inf must match. */
export function allClose(
  actual: Numbers | Tensor,
  expected: Numbers | Tensor,
  { absolute = 1e-5, relative = 1e-4 }: Tolerance = {},
  label = '',
): void {
  if (isTensor(actual) && isTensor(expected)) {
    assert.deepEqual(actual.shape, expected.shape, `${label}: shapes differ`);
  }
  const a = isTensor(actual) ? actual.dataSync() : actual;
  const e = isTensor(expected) ? expected.dataSync() : expected;
  assert.equal(a.length, e.length, `${label}: lengths differ`);
  let worst = -1;
  let worstExcess = 0;
  for (let i = 0; i < e.length; i++) {
    if (Object.is(a[i], e[i]) || a[i] === e[i]) continue;
    const excess = Math.abs(a[i] - e[i]) - (absolute + relative * Math.abs(e[i]));
    const failed = Number.isNaN(excess) ? Infinity : excess;
    if (failed > worstExcess) [worst, worstExcess] = [i, failed];
  }
  if (worst >= 0) {
    assert.fail(
      `${label}: worst element [${worst}]: expected ${e[worst]}, got ${a[worst]} (tolerance ${absolute} + ${relative} relative)`,
    );
  }
}

function isTensor(value: Numbers | Tensor): value is Tensor {
  return 'dataSync' in value;
}
