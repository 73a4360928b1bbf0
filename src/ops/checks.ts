/** The preconditions that the public ops share: expected, then actual. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';

const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

/** `x` is a live float32 tensor laid out as `layout` says (e.g. '[N, C]'); every size but the batch is at least 1. */
export function checkTensor(op: string, name: string, x: tf.Tensor, layout: string): void {
  check(x instanceof tf.Tensor, () => `${op}: ${name} must be a tensor, got ${String(x)}`);
  check(!x.isDisposed, () => `${op}: ${name} is disposed`);
  check(
    x.rank === layout.split(',').length,
    () => `${op}: ${name} must be ${layout}, got ${shapeText(x.shape)}`,
  );
  check(x.dtype === 'float32', () => `${op}: ${name} must be float32, got ${x.dtype}`);
  const sizes = layout.startsWith('[N') ? x.shape.slice(1) : x.shape;
  check(
    sizes.every((size) => size >= 1),
    () => `${op}: ${name} must be ${layout} without empty sizes, got ${shapeText(x.shape)}`,
  );
}

/** `x` has exactly `shape`, called `layout` in the message. */
export function checkShape(
  op: string,
  name: string,
  x: tf.Tensor,
  layout: string,
  shape: number[],
): void {
  check(
    tf.util.arraysEqual(x.shape, shape),
    () => `${op}: ${name} must be ${layout} = ${shapeText(shape)}, got ${shapeText(x.shape)}`,
  );
}

/** `value` is one of `allowed`. */
export function checkOneOf<T>(op: string, name: string, value: T, allowed: readonly T[]): void {
  check(
    allowed.includes(value),
    () => `${op}: ${name} must be one of ${allowed.join(', ')}, got ${String(value)}`,
  );
}

/** `value` is an integer of at least `least`. */
export function checkInteger(op: string, name: string, value: number, least: number): void {
  check(
    Number.isInteger(value) && value >= least,
    () => `${op}: ${name} must be an integer >= ${least}, got ${String(value)}`,
  );
}
