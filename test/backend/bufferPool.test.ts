import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from '../../src/backend/pool.js';

function counted(capacity?: number) {
  const allocated: number[] = [];
  const pool = new BufferPool((bytes) => {
    allocated.push(bytes);
    return new ArrayBuffer(bytes);
  }, capacity);
  return { pool, allocated };
}

/** An array that a tensor holds. */
function held(pool: BufferPool, length: number): Float32Array {
  const values = pool.take(Float32Array, length);
  pool.retain(values);
  return values;
}

test('a released block is used again, for another type as well', () => {
  const { pool, allocated } = counted();
  const first = held(pool, 10_000);
  pool.release(first);
  assert.equal(pool.idleBytes, allocated[0]);
  const second = pool.take(Int32Array, 9_990);
  assert.equal(second.buffer, first.buffer);
  assert.equal(second.length, 9_990);
  assert.equal(pool.idleBytes, 0);
  assert.equal(allocated.length, 1);
});

test('a block with views is released with the last of them', () => {
  const { pool } = counted();
  const values = held(pool, 10_000);
  const view = values.subarray(3, 5);
  pool.retain(view);
  pool.release(values);
  assert.equal(pool.idleBytes, 0);
  pool.release(view);
  assert.notEqual(pool.idleBytes, 0);
});

test('small arrays and arrays of others are not pooled', () => {
  const { pool, allocated } = counted();
  pool.release(held(pool, 10));
  const foreign = new Float32Array(10_000);
  pool.retain(foreign);
  pool.release(foreign);
  assert.equal(pool.owns(foreign), false);
  assert.equal(pool.idleBytes, 0);
  assert.equal(allocated.length, 0);
});

test('at most an eighth of a block is waste', () => {
  const { pool, allocated } = counted();
  for (const length of [4096, 5000, 65_537, 100_001, 1_048_577]) {
    pool.take(Float32Array, length);
    assert.ok(allocated.at(-1)! >= length * 4);
    assert.ok(allocated.at(-1)! <= length * 4 * 1.25 + 4096);
  }
});

test('a full pool gives up what it kept', () => {
  const { pool } = counted(100_000);
  const blocks = [held(pool, 20_000), held(pool, 20_001)];
  for (const block of blocks) pool.release(block);
  assert.ok(pool.idleBytes > 0 && pool.idleBytes <= 100_000);
  pool.release(held(pool, 1_000_000));
  assert.ok(pool.idleBytes <= 100_000);
  pool.trim();
  assert.equal(pool.idleBytes, 0);
});
