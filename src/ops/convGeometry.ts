/** A convolution's options, checked and turned into the sizes that kernels work with. */
import * as tf from '@tensorflow/tfjs';
import type { ConvGeometry } from '../backend/kernels/channelSparseConv2d.js';
import { check } from '../errors.js';
import { checkInteger } from './checks.js';

export interface ConvOptions {
  /** Rows, columns. Default 1. */
  strides?: number | [number, number];
  /** Default 'valid'. */
  pad?: 'same' | 'valid' | number | tf.backend_util.ExplicitPadding;
  /** Rows, columns. Default 1. */
  dilations?: number | [number, number];
}

/**
 * @throws FtwtError INVALID_ARGUMENT for options that are no integers in range, or a filter that does not fit
 */
export function convGeometry(
  op: string,
  xShape: [number, number, number, number],
  filterShape: [number, number, number, number],
  { strides = 1, pad = 'valid', dilations = 1 }: ConvOptions,
): ConvGeometry {
  const [strideH, strideW] = pair(op, 'strides', strides);
  const [dilationH, dilationW] = pair(op, 'dilations', dilations);
  checkPad(op, pad);
  const info = tf.backend_util.computeConv2DInfo(
    xShape,
    filterShape,
    [strideH, strideW],
    [dilationH, dilationW],
    typeof pad === 'number' ? evenPadding(pad) : pad,
  );
  const [n, h, w, cIn] = xShape;
  const [kh, kw, , cOut] = filterShape;
  check(
    info.outHeight >= 1 && info.outWidth >= 1,
    () =>
      `${op}: filter [${kh}, ${kw}] with dilations [${dilationH}, ${dilationW}] does not fit into x [${h}, ${w}]`,
  );
  const { top, left, bottom, right } = info.padInfo;
  return {
    ...{ n, h, w, cIn, cOut, kh, kw, strideH, strideW, dilationH, dilationW },
    ...{ outH: info.outHeight, outW: info.outWidth },
    ...{ padTop: top, padLeft: left, padBottom: bottom, padRight: right },
  };
}

/** A padding of `pad` on all sides. tfjs takes a number too, but then assumes a square filter. */
function evenPadding(pad: number): tf.backend_util.ExplicitPadding {
  return [
    [0, 0],
    [pad, pad],
    [pad, pad],
    [0, 0],
  ];
}

function pair(op: string, name: string, value: number | [number, number]): [number, number] {
  const both = typeof value === 'number' ? [value, value] : value;
  check(
    Array.isArray(both) && both.length === 2,
    () => `${op}: ${name} must be a number or a pair of numbers, got ${String(value)}`,
  );
  for (const entry of both) checkInteger(op, name, entry, 1);
  return [both[0], both[1]];
}

function checkPad(op: string, pad: ConvOptions['pad']): void {
  if (pad === 'same' || pad === 'valid') return;
  if (typeof pad === 'number') return checkInteger(op, 'pad', pad, 0);
  check(
    Array.isArray(pad) && pad.length === 4 && pad.every((p) => Array.isArray(p) && p.length === 2),
    () =>
      `${op}: pad must be 'same', 'valid', a number or four pairs of numbers, got ${String(pad)}`,
  );
  for (const entry of pad.flat()) checkInteger(op, 'pad', entry, 0);
  check(
    pad[0].every((p) => p === 0) && pad[3].every((p) => p === 0),
    () => `${op}: pad must be 0 for the batch and the channels, got ${JSON.stringify(pad)}`,
  );
}
