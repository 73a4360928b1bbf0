/** Mask rules with their results worked out by hand from the definitions. Every row is one sample. */
import type { MassMaskOptions } from '../../src/index.js';

export interface MassMaskCase {
  name: string;
  saliency: number[][];
  mass: number;
  options?: MassMaskOptions;
  mask: number[][];
}

export const massMaskCases: MassMaskCase[] = [
  {
    name: 'the crossing channel is dropped',
    // Shares .1 .5 .4: .5, .9 fits into 0.95, 1.0 does not.
    saliency: [[1, 5, 4]],
    mass: 0.95,
    mask: [[0, 1, 1]],
  },
  {
    name: 'the crossing channel is kept on request',
    saliency: [
      [1, 5, 4],
      [8, 1, 1],
    ],
    mass: 0.7,
    options: { crossing: 'include' },
    // .5 fits, .9 crosses. In the second sample the first channel crosses already.
    mask: [
      [0, 1, 1],
      [1, 0, 0],
    ],
  },
  {
    name: 'each sample has its own count',
    saliency: [
      [4, 4, 1, 1],
      [1, 1, 1, 1],
      [97, 1, 1, 1],
    ],
    mass: 0.8,
    mask: [
      [1, 1, 0, 0],
      [1, 1, 1, 0],
      [1, 0, 0, 0], // .97 crosses; minActive keeps it
    ],
  },
  {
    name: 'a mass that is reached exactly counts as within',
    saliency: [[2, 6, 2]],
    mass: 0.8,
    mask: [[1, 1, 0]],
  },
  {
    name: 'among equals the lower channel wins',
    saliency: [[1, 2, 2, 2, 1, 2]],
    mass: 0.7,
    mask: [[0, 1, 1, 1, 0, 0]],
  },
  {
    name: 'a dominant channel leaves none without minActive',
    saliency: [[97, 1, 1, 1]],
    mass: 0.8,
    options: { minActive: 0 },
    mask: [[0, 0, 0, 0]],
  },
  {
    name: 'minActive keeps the most salient, up to all',
    saliency: [
      [1, 97, 3],
      [3, 2, 1],
    ],
    mass: 0.01,
    options: { minActive: 2 },
    mask: [
      [0, 1, 1],
      [1, 1, 0],
    ],
  },
  {
    name: 'minActive above the number of channels keeps all',
    saliency: [[1, 97]],
    mass: 0.01,
    options: { minActive: 7 },
    mask: [[1, 1]],
  },
  {
    name: 'mass 1 drops dead channels only',
    saliency: [[1, 0, 1e-4, 1e-6, 5]],
    mass: 1,
    mask: [[1, 0, 1, 0, 1]],
  },
  {
    name: 'dead channels are never active by mass',
    saliency: [[3, 0, 0]],
    mass: 0.999999,
    mask: [[1, 0, 0]],
  },
  {
    name: 'nothing fires: the lowest channels, minActive of them',
    saliency: [[0, 0, 0]],
    mass: 0.9,
    options: { minActive: 2 },
    mask: [[1, 1, 0]],
  },
  {
    name: 'nothing fires, mass 1',
    saliency: [[0, -0, 0]],
    mass: 1,
    mask: [[1, 0, 0]],
  },
  { name: 'nothing fires, all kept', saliency: [[0, NaN]], mass: -1, mask: [[1, 1]] },
  {
    name: 'NaN and negative values are dead',
    saliency: [[NaN, 1, -5, 1]],
    mass: 0.99,
    options: { minActive: 3 },
    mask: [[1, 1, 0, 1]], // two fire, then the lowest of the dead
  },
  {
    name: 'infinity counts as 1e30',
    saliency: [
      [Infinity, 1e30, 1],
      [Infinity, 3e38, 3e38],
      [-Infinity, 1, Infinity],
    ],
    mass: 0.9,
    mask: [
      [1, 0, 0],
      [1, 1, 0],
      [0, 0, 1],
    ],
  },
  { name: 'one channel', saliency: [[7], [0], [NaN]], mass: 0.5, mask: [[1], [1], [1]] },
];
