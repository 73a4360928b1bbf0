/** What the kernels of convolutions and pooling check before they run: tfjs computes nonsense where it does not hold. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../../errors.js';
import type { TensorInfo } from '../kernelBackend.js';

/** The gradient has the shape of the output. */
export function checkGradientShape(op: string, dy: TensorInfo, expected: number[]): void {
  check(
    tf.util.arraysEqual(dy.shape, expected),
    () => `${op}: dy must be [${expected.join(', ')}], got [${dy.shape.join(', ')}]`,
  );
}

/** The output has no negative size, as tfjs has it where a window is larger than the image. */
export function checkWindowFits(op: string, info: tf.backend_util.Conv2DInfo): void {
  const { inHeight, inWidth, padInfo, effectiveFilterHeight, effectiveFilterWidth } = info;
  check(
    info.outHeight >= 0 && info.outWidth >= 0,
    () =>
      `${op}: expected an image, with its padding, at least as large as the dilated filter [${effectiveFilterHeight}, ${effectiveFilterWidth}], ` +
      `got [${inHeight + padInfo.top + padInfo.bottom}, ${inWidth + padInfo.left + padInfo.right}]`,
  );
}
