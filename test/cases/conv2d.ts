/** Convolutions that are tested, and may be timed. Small: tfjs's cpu backend is the reference. */
import type * as tf from '@tensorflow/tfjs';

export interface Conv2dCase {
  name: string;
  x: [number, number, number, number];
  filter: [number, number, number, number];
  strides?: number | [number, number];
  pad?: 'same' | 'valid' | number | tf.backend_util.ExplicitPadding;
  /** With a stride of 1 only, as tfjs demands; tfjs has no gradients for dilations other than 1. */
  dilations?: number | [number, number];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

export const conv2dCases: Conv2dCase[] = [
  { name: 'one of everything', x: [1, 1, 1, 1], filter: [1, 1, 1, 1] },
  { name: 'one channel, SAME', x: [3, 5, 7, 1], filter: [3, 3, 1, 5] },
  { name: 'colour image, a vector and a rest', x: [1, 6, 5, 3], filter: [3, 3, 3, 17] },
  { name: '1x1 filter', x: [2, 4, 5, 19], filter: [1, 1, 19, 33] },
  { name: 'VALID, many columns', x: [1, 5, 6, 9], filter: [3, 3, 9, 70], pad: 'valid' },
  { name: 'stride 2, SAME, odd sizes', x: [3, 7, 5, 8], filter: [3, 3, 8, 12], strides: 2 },
  { name: 'stride 2, even sizes', x: [1, 6, 8, 10], filter: [3, 3, 10, 4], strides: 2 },
  {
    name: 'stride 2 without overlap',
    x: [1, 5, 4, 9],
    filter: [1, 1, 9, 3],
    strides: 2,
    pad: 'valid',
  },
  { name: 'stride 3 x 2, wide filter', x: [1, 11, 9, 2], filter: [5, 4, 2, 6], strides: [3, 2] },
  { name: 'dilation 2', x: [1, 9, 8, 4], filter: [3, 3, 4, 5], dilations: 2 },
  {
    name: 'dilation 2 x 3, VALID',
    x: [2, 9, 10, 8],
    filter: [2, 3, 8, 20],
    dilations: [2, 3],
    pad: 'valid',
  },
  { name: 'padding 1', x: [1, 6, 6, 11], filter: [3, 3, 11, 8], pad: 1 },
  {
    name: 'padding 1, stride 2, rounded up',
    x: [1, 6, 6, 8],
    filter: [3, 3, 8, 8],
    strides: 2,
    pad: 1,
    dimRoundingMode: 'ceil',
  },
  {
    name: 'explicit padding, uneven',
    x: [1, 5, 6, 8],
    filter: [3, 2, 8, 16],
    pad: [
      [0, 0],
      [2, 0],
      [1, 3],
      [0, 0],
    ],
  },
  { name: 'filter larger than the image', x: [2, 2, 3, 5], filter: [5, 5, 5, 3] },
  { name: 'more pixels than one block', x: [1, 15, 14, 2], filter: [3, 3, 2, 3] },
  { name: 'more pixels than one block, deep', x: [1, 15, 14, 8], filter: [3, 3, 8, 3] },
  {
    name: 'stride 4 over wide rows: the block reaches far',
    x: [1, 9, 400, 9],
    filter: [2, 2, 9, 2],
    strides: 4,
  },
  { name: 'a sum in several parts', x: [1, 3, 2, 600], filter: [3, 3, 600, 50] },
  { name: 'empty batch', x: [0, 5, 5, 3], filter: [3, 3, 3, 4] },
  { name: 'image of height 0, all padding', x: [1, 0, 5, 8], filter: [3, 3, 8, 8], pad: 2 },
  { name: 'image of width 0, all padding', x: [2, 5, 0, 9], filter: [3, 3, 9, 4], pad: 2 },
];
