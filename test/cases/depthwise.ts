/** Depthwise convolutions that are tested; the fields are those of Conv2dCase, filters [h, w, cIn, multiplier]. */
import type { Conv2dCase } from './conv2d.js';

export const depthwiseCases: Conv2dCase[] = [
  { name: 'one of everything', x: [1, 1, 1, 1], filter: [1, 1, 1, 1] },
  { name: '3x3, SAME', x: [3, 5, 7, 19], filter: [3, 3, 19, 1] },
  { name: 'many channels', x: [1, 4, 3, 150], filter: [3, 3, 150, 1] },
  { name: 'stride 2, SAME, odd sizes', x: [3, 7, 5, 16], filter: [3, 3, 16, 1], strides: 2 },
  { name: 'stride 2, even sizes', x: [1, 8, 6, 7], filter: [3, 3, 7, 1], strides: 2 },
  { name: '5x4, VALID', x: [1, 7, 9, 5], filter: [5, 4, 5, 1], pad: 'valid' },
  { name: 'multiplier 3', x: [2, 5, 4, 6], filter: [3, 3, 6, 3] },
  { name: 'multiplier 2, stride 2', x: [1, 6, 7, 9], filter: [3, 2, 9, 2], strides: 2 },
  { name: 'one channel, multiplier 20', x: [1, 5, 5, 1], filter: [3, 3, 1, 20], pad: 1 },
  { name: 'dilation 2', x: [1, 8, 9, 17], filter: [3, 3, 17, 1], dilations: 2 },
  { name: 'filter larger than the image', x: [1, 2, 3, 4], filter: [5, 5, 4, 1] },
  { name: 'empty batch', x: [0, 5, 5, 3], filter: [3, 3, 3, 2] },
];
