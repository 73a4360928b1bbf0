/** Channel-sparse convolutions that are tested against the composite of stock ops, and may be timed. */
import type * as tf from '@tensorflow/tfjs';

export interface SparseConvCase {
  name: string;
  x: [number, number, number, number];
  filter: [number, number, number, number];
  strides?: number | [number, number];
  pad?: 'same' | 'valid' | number | tf.backend_util.ExplicitPadding;
  dilations?: number | [number, number];
  /** Share of active channels; absent: no mask. */
  input?: number;
  output?: number;
  /** The same masks for every sample. */
  uniformMasks?: boolean;
}

export const sparseConvCases: SparseConvCase[] = [
  { name: 'one of everything', x: [1, 1, 1, 1], filter: [1, 1, 1, 1], input: 1, output: 1 },
  { name: 'no masks', x: [3, 4, 5, 6], filter: [3, 3, 6, 5], pad: 'same' },
  { name: 'input mask', x: [3, 5, 4, 9], filter: [3, 3, 9, 7], pad: 'same', input: 0.3 },
  { name: 'output mask', x: [3, 5, 4, 9], filter: [3, 3, 9, 7], pad: 'same', output: 0.3 },
  {
    name: 'nearly full masks: dense',
    x: [3, 3, 2, 9],
    filter: [3, 3, 9, 17],
    pad: 'same',
    input: 0.9,
    output: 0.9,
  },
  {
    name: 'nearly full input mask: dense',
    x: [3, 3, 2, 19],
    filter: [3, 3, 19, 7],
    pad: 'same',
    input: 0.9,
  },
  { name: 'both masks', x: [5, 5, 5, 17], filter: [3, 3, 17, 19], input: 0.5, output: 0.5 },
  {
    name: 'one image, both masks',
    x: [1, 7, 6, 20],
    filter: [3, 3, 20, 35],
    input: 0.6,
    output: 0.4,
  },
  {
    name: 'the same masks for all samples',
    x: [3, 4, 4, 8],
    filter: [3, 3, 8, 8],
    input: 0.5,
    output: 0.5,
    uniformMasks: true,
  },
  { name: 'nothing active', x: [3, 3, 3, 4], filter: [2, 2, 4, 3], input: 0, output: 1 },
  {
    name: 'one channel',
    x: [3, 4, 3, 1],
    filter: [3, 3, 1, 1],
    pad: 'same',
    input: 0.5,
    output: 0.5,
  },
  {
    name: 'stride 2, odd sizes',
    x: [3, 7, 5, 6],
    filter: [3, 3, 6, 5],
    strides: 2,
    pad: 'same',
    input: 0.5,
    output: 0.7,
  },
  {
    name: 'stride 2 without overlap',
    x: [2, 5, 6, 5],
    filter: [1, 1, 5, 6],
    strides: 2,
    input: 0.5,
    output: 0.5,
  },
  {
    name: 'stride 3 x 2, wide filter, padding 1',
    x: [2, 8, 7, 3],
    filter: [4, 5, 3, 4],
    strides: [3, 2],
    pad: 1,
    input: 0.7,
    output: 0.7,
  },
  {
    name: 'dilation 2 x 3',
    x: [3, 8, 9, 4],
    filter: [3, 2, 4, 5],
    dilations: [2, 3],
    pad: 'same',
    input: 0.5,
    output: 0.5,
  },
  {
    name: 'stride 2 and dilation 2',
    x: [2, 9, 8, 3],
    filter: [3, 3, 3, 4],
    strides: 2,
    dilations: 2,
    pad: 'same',
    input: 0.7,
    output: 0.5,
  },
  {
    name: 'explicit padding, uneven',
    x: [2, 4, 5, 4],
    filter: [3, 2, 4, 5],
    pad: [
      [0, 0],
      [2, 0],
      [1, 3],
      [0, 0],
    ],
    input: 0.5,
    output: 0.5,
  },
  {
    name: 'more channels than a panel',
    x: [3, 3, 3, 70],
    filter: [3, 3, 70, 150],
    input: 0.5,
    output: 0.5,
  },
];
