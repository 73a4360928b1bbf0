/** Every way to run a convolution, with every instruction set of this processor, whatever a compile here would choose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { layers as ours, setThreads } from '../../src/index.js';
import { binding } from '../../src/binding.js';
import { sessionDevices } from '../devices.js';
import { agrees } from './agreement.js';
import { chain, modelOf } from './oracle.js';

interface Case {
  /** Of the image, or its height and width. */
  size: number | [number, number];
  channels: number[];
  kernelSize: number;
  strides?: number;
}

/** Few and many pixels and channels, and numbers that no tile divides. */
const cases: Record<string, Case[]> = {
  'shifted planes': [
    { size: 9, channels: [5, 33, 7], kernelSize: 3 },
    { size: 30, channels: [3, 40, 66], kernelSize: 3, strides: 2 },
    { size: 13, channels: [4, 18, 130], kernelSize: 5 },
    { size: 12, channels: [24, 64, 40], kernelSize: 3 },
    { size: 7, channels: [19, 70, 33], kernelSize: 3 },
    { size: 8, channels: [16, 24, 40], kernelSize: 3 },
    { size: 11, channels: [4, 18, 24], kernelSize: 5 },
    { size: 15, channels: [9, 32, 20], kernelSize: 3, strides: 2 },
    { size: 13, channels: [9, 32, 20], kernelSize: 4, strides: 3 },
    { size: 14, channels: [64, 40, 33], kernelSize: 3 },
    { size: [5, 7], channels: [40, 64, 33], kernelSize: 3 },
    { size: [3, 6], channels: [40, 64, 33], kernelSize: 3 },
  ],
  'strips of rows': [
    { size: 7, channels: [19, 70, 33], kernelSize: 3 },
    { size: 8, channels: [16, 24, 40], kernelSize: 3 },
    { size: 20, channels: [9, 32, 20], kernelSize: 3, strides: 2 },
    { size: 22, channels: [9, 17], kernelSize: 5, strides: 3 },
    { size: 9, channels: [5, 33, 7], kernelSize: 3 },
    { size: 30, channels: [3, 40, 66], kernelSize: 3, strides: 2 },
    { size: 13, channels: [4, 18, 24], kernelSize: 5 },
    { size: 59, channels: [3, 19, 6], kernelSize: 3 },
    { size: 16, channels: [24, 64, 40], kernelSize: 3 },
    { size: 70, channels: [3, 9], kernelSize: 7, strides: 2 },
  ],
  'gathered pixels': [
    { size: 7, channels: [19, 70, 33], kernelSize: 3 },
    { size: 7, channels: [9, 32, 48], kernelSize: 3, strides: 2 },
    { size: 5, channels: [24, 64, 40], kernelSize: 3 },
    { size: 2, channels: [65, 33, 9], kernelSize: 1 },
    { size: 1, channels: [20, 12], kernelSize: 3 },
    { size: 3, channels: [9, 17, 20], kernelSize: 3 },
    { size: 4, channels: [9, 17, 20], kernelSize: 3 },
    { size: 6, channels: [9, 17, 20], kernelSize: 3 },
    { size: 8, channels: [9, 17, 20], kernelSize: 3 },
    { size: 9, channels: [9, 17, 20], kernelSize: 3, strides: 2 },
    { size: [3, 6], channels: [40, 64, 33], kernelSize: 3 },
    { size: [5, 7], channels: [40, 64, 33], kernelSize: 3 },
  ],
  '1x1 in place': [
    { size: 14, channels: [37, 70, 300], kernelSize: 1 },
    { size: 4, channels: [200, 35, 64], kernelSize: 1 },
    { size: 4, channels: [33, 24, 40], kernelSize: 1 },
    { size: 41, channels: [3, 7, 64], kernelSize: 1 },
    { size: 17, channels: [96, 104, 200], kernelSize: 1 },
    { size: 7, channels: [40, 70, 93], kernelSize: 1 },
    { size: 14, channels: [136, 144, 152, 130], kernelSize: 1 },
    { size: 5, channels: [64, 72, 40], kernelSize: 1 },
    { size: 10, channels: [40, 96, 34], kernelSize: 1 },
    { size: 9, channels: [32, 40, 39], kernelSize: 1 },
    { size: [3, 6], channels: [104, 120, 136, 98], kernelSize: 1 },
    { size: [5, 7], channels: [104, 120, 136, 98], kernelSize: 1 },
    { size: [2, 10], channels: [136, 144, 7, 40], kernelSize: 1 },
  ],
  'dot products': [
    { size: 2, channels: [67, 33, 9], kernelSize: 3 },
    { size: 1, channels: [130, 64, 31], kernelSize: 1 },
    { size: 2, channels: [5, 4, 3], kernelSize: 2 },
  ],
  'winograd 2x2': [
    { size: 7, channels: [33, 20, 70], kernelSize: 3 },
    { size: 31, channels: [3, 16, 18], kernelSize: 3 },
    { size: 8, channels: [24, 128, 72], kernelSize: 3 },
    { size: 16, channels: [132, 136], kernelSize: 3 },
    { size: 14, channels: [16, 256, 251], kernelSize: 3 },
    { size: 10, channels: [16, 256, 251], kernelSize: 3 },
    { size: 8, channels: [16, 256, 251], kernelSize: 3 },
    { size: 14, channels: [40, 64, 72], kernelSize: 3 },
  ],
  'winograd 4x4': [
    { size: 14, channels: [40, 33, 65], kernelSize: 3 },
    { size: 33, channels: [3, 17, 16], kernelSize: 3 },
    { size: 20, channels: [24, 64, 40], kernelSize: 3 },
    { size: 28, channels: [128, 72, 120], kernelSize: 3 },
  ],
  'winograd points': [
    { size: 8, channels: [24, 130, 72], kernelSize: 3 },
    { size: 7, channels: [33, 70, 19], kernelSize: 3 },
    { size: 4, channels: [40, 300, 33], kernelSize: 3 },
    { size: 3, channels: [9, 17, 20], kernelSize: 3 },
    { size: [2, 3], channels: [65, 33, 9], kernelSize: 3 },
    { size: [1, 5], channels: [20, 12], kernelSize: 3 },
    { size: [3, 6], channels: [40, 64, 33], kernelSize: 3 },
    { size: [5, 7], channels: [9, 5, 33], kernelSize: 3 },
  ],
};

function modelOfCase(
  { size, channels, kernelSize, strides = 1 }: Case,
  mass: number | undefined,
): tf.LayersModel {
  const [first, ...rest] = channels;
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  const body = rest.map((filters) => {
    const args = { filters, kernelSize, strides, padding: 'same', activation: 'relu' } as const;
    return mass === undefined ? tf.layers.conv2d(args) : ours.dynamicConv2d({ ...args, mass });
  });
  return modelOf([height, width, first], chain(...body));
}

/** One task has all channels: of more weights than a block of them may have, and of one or many tiles of pixels. */
test('products whose weights no number of blocks divides', () => {
  if (!sessionDevices().includes('native')) return;
  const { threads } = binding.info();
  setThreads(1);
  try {
    for (const [size, kernelSize, channels] of [
      [28, 1, [250, 262]],
      [4, 1, [300, 104, 336, 96]],
      [20, 3, [30, 270]],
    ] as [number, number, number[]][]) {
      const [first, ...rest] = channels;
      for (const mass of [undefined, 0.97]) {
        const body = rest.map((filters) => {
          const args = { filters, kernelSize, padding: 'same' } as const;
          return mass === undefined
            ? tf.layers.conv2d(args)
            : ours.dynamicConv2d({ ...args, mass });
        });
        const model = modelOf([size, size, first], chain(...body));
        const variant = kernelSize === 1 ? '1x1 in place' : 'shifted planes';
        assert.ok(agrees(`${size}x${size}, ${channels.join(' to ')}`, model, variant) > 0);
      }
    }
  } finally {
    setThreads(threads);
  }
});

test('more threads than rows of tiles', () => {
  if (!sessionDevices().includes('native')) return;
  const { threads } = binding.info();
  setThreads(24);
  try {
    const body = [18, 8].map((filters) =>
      ours.dynamicConv2d({ filters, kernelSize: 3, padding: 'same', mass: 0.9 }),
    );
    const model = modelOf([29, 29, 3], chain(...body));
    for (const variant of ['strips of rows', 'winograd 2x2', 'winograd 4x4']) {
      assert.ok(agrees(variant, model, variant) > 0, `${variant} is not used`);
    }
  } finally {
    setThreads(threads);
  }
});

/** Of one image: more threads run the parts of fewer, and the reverse. */
const threadsOfOneImage: [compiling: number, running: number][] = [
  [2, 2],
  [3, 3],
  [2, 1],
  [2, 3],
  [6, 4],
];

function agreeOnThreads(list: Record<string, Case[]>): void {
  const { threads } = binding.info();
  try {
    for (const counts of threadsOfOneImage) {
      for (const [variant, variants] of Object.entries(list)) {
        for (const one of variants) {
          for (const mass of [undefined, 0.6]) {
            const label = `${variant}, mass ${mass}, ${counts.join(' threads, then ')}`;
            const used = agrees(label, modelOfCase(one, mass), variant, counts);
            assert.ok(used > 0, `${label} is not used`);
          }
        }
      }
    }
  } finally {
    setThreads(threads);
  }
}

/** Each thread has some points of all tiles: so few tiles that they are not cut into strips. */
test('threads that share out the points of an image', () => {
  if (!sessionDevices().includes('native')) return;
  agreeOnThreads({
    'winograd 2x2': [
      { size: 8, channels: [18, 40, 72], kernelSize: 3 },
      { size: 10, channels: [9, 33], kernelSize: 3 },
    ],
    'winograd 4x4': [
      { size: 16, channels: [18, 40, 72], kernelSize: 3 },
      { size: 20, channels: [9, 33], kernelSize: 3 },
    ],
  });
});

/** Each thread has a copy of the pixels, where it has channels enough. */
test('threads that pack the pixels of an image for themselves', () => {
  if (!sessionDevices().includes('native')) return;
  agreeOnThreads({
    'gathered pixels': [
      { size: 7, channels: [9, 200], kernelSize: 3 },
      { size: 7, channels: [9, 130], kernelSize: 3, strides: 2 },
    ],
    'shifted planes': [
      { size: 7, channels: [9, 200], kernelSize: 3 },
      { size: 12, channels: [9, 130], kernelSize: 3, strides: 2 },
    ],
    'winograd points': [{ size: 5, channels: [9, 200, 200], kernelSize: 3 }],
  });
});

for (const [variant, list] of Object.entries(cases)) {
  test(variant, () => {
    if (!sessionDevices().includes('native')) return;
    for (const one of list) {
      for (const mass of [undefined, 0.9]) {
        const label = `${variant}, ${JSON.stringify(one)}, mass ${mass}`;
        assert.ok(agrees(label, modelOfCase(one, mass), variant) > 0, `${label} is not used`);
      }
    }
  });
}

/** More transformed tiles than are kept at once: those of 5 images, and of 3. */
test('groups of images whose points lie in lanes', () => {
  if (!sessionDevices().includes('native')) return;
  const { threads } = binding.info();
  setThreads(1);
  try {
    const variant = 'winograd points';
    for (const mass of [undefined, 0.9]) {
      const model = modelOfCase({ size: 8, channels: [700, 9], kernelSize: 3 }, mass);
      assert.ok(agrees(`${variant}, mass ${mass}`, model, variant) > 0, `${variant} is not used`);
    }
  } finally {
    setThreads(threads);
  }
});

/** Zeros on no side, or on some, which the convolutions behind them add for themselves. */
test('paddings of tiles whose points lie in lanes', () => {
  if (!sessionDevices().includes('native')) return;
  const variant = 'winograd points';
  const args = { kernelSize: 3, activation: 'relu' } as const;
  const paddings: [[number, number], [number, number]][] = [
    [
      [0, 0],
      [0, 0],
    ],
    [
      [2, 0],
      [0, 2],
    ],
    [
      [0, 1],
      [2, 1],
    ],
  ];
  for (const padding of paddings) {
    const pad = { padding } as Parameters<typeof tf.layers.zeroPadding2d>[0];
    const model = modelOf(
      [8, 9, 9],
      chain(
        ours.dynamicConv2d({ ...args, filters: 20, padding: 'valid', mass: 0.9 }),
        tf.layers.zeroPadding2d(pad),
        tf.layers.conv2d({ ...args, filters: 33 }),
        tf.layers.zeroPadding2d(pad),
        tf.layers.conv2d({ ...args, filters: 7 }),
      ),
    );
    const label = `${variant}, padding ${JSON.stringify(padding)}`;
    assert.ok(agrees(label, model, variant) > 0, `${label} is not used`);
  }
});

/** Taps may read only what lies around a row, however far from it they are. */
test('a dilation that leaves the image on all sides', () => {
  if (!sessionDevices().includes('native')) return;
  for (const dilationRate of [9, 400]) {
    const args = { filters: 9, kernelSize: 3, padding: 'same', dilationRate } as const;
    const model = modelOf([8, 8, 5], chain(tf.layers.conv2d(args), tf.layers.conv2d(args)));
    for (const variant of ['shifted planes', 'strips of rows']) {
      const label = `${variant}, dilation ${dilationRate}`;
      assert.ok(agrees(label, model, variant) > 0, `${label} is not used`);
    }
  }
});

test('depthwise convolutions, lanes for channels and for pixels', () => {
  if (!sessionDevices().includes('native')) return;
  for (const [size, channels, kernelSize, strides, width = size] of [
    [4, 40, 3, 1],
    [2, 9, 3, 1],
    [7, 17, 5, 1],
    [33, 18, 3, 2],
    [12, 5, 3, 1],
    [40, 7, 3, 1],
    [19, 3, 5, 1],
    [56, 33, 3, 2],
    [29, 4, 3, 2],
    [14, 21, 3, 1],
    [31, 2, 3, 1],
    [14, 33, 3, 1],
    [10, 4, 3, 1],
    [28, 18, 3, 1],
    [32, 3, 3, 1],
    [33, 3, 3, 1],
    [2, 5, 3, 1, 64],
    [3, 5, 3, 1, 40],
    [100, 5, 3, 1, 1],
    [16, 5, 3, 1, 64],
  ]) {
    for (const [mass, padding] of [
      [undefined, 'same'],
      [0.9, 'same'],
      [0.9, 'valid'],
    ] as const) {
      if (kernelSize > Math.min(size, width) && padding === 'valid') continue;
      const args = { kernelSize, strides, padding, depthMultiplier: 2 };
      const layer =
        mass === undefined
          ? tf.layers.depthwiseConv2d(args)
          : ours.dynamicDepthwiseConv2d({ ...args, mass });
      const label = `${size}x${width}x${channels}, ${kernelSize}x${kernelSize} / ${strides}`;
      agrees(label, modelOf([size, width, channels], chain(layer)), '');
    }
  }
});

/** Panels, and rows of weights, have ways of their own for them. */
test('last pixels of sums with a residual', () => {
  if (!sessionDevices().includes('native')) return;
  for (const size of [5, 7, 10, 14]) {
    for (const mass of [undefined, 0.97]) {
      const args = { filters: 136, kernelSize: 1 } as const;
      const inner = () =>
        mass === undefined
          ? tf.layers.conv2d(args)
          : ours.dynamicConv2d({ ...args, mass, batchNormalization: true });
      const model = modelOf([size, size, 136], (x) => {
        const products = inner().apply(inner().apply(x)) as tf.SymbolicTensor;
        const sum = tf.layers.add().apply([products, x]) as tf.SymbolicTensor;
        return tf.layers.reLU().apply(sum) as tf.SymbolicTensor;
      });
      const label = `${size}x${size}, mass ${mass}`;
      assert.ok(agrees(label, model, '1x1 in place') > 0, `${label} is not used`);
    }
  }
});

/** A sum is written where its residual lies, if nothing reads that any more. */
test('sums in the place of their residual', () => {
  if (!sessionDevices().includes('native')) return;
  const sizes = {
    'shifted planes': 25,
    'strips of rows': 19,
    'gathered pixels': 5,
    'dot products': 2,
    'winograd 2x2': 9,
    'winograd 4x4': 18,
    'winograd points': 5,
  };
  const args = { filters: 12, kernelSize: 3, padding: 'same' } as const;
  const conv = (activation: 'relu' | 'linear') => tf.layers.conv2d({ ...args, activation });
  const dynamic = (activation: 'relu' | 'linear') =>
    ours.dynamicConv2d({ ...args, activation, mass: 0.9, batchNormalization: true });
  const pool = () => tf.layers.maxPooling2d({ poolSize: 2, strides: 1, padding: 'same' });
  const befores: Record<string, () => tf.layers.Layer[]> = {
    relu: () => [conv('relu')],
    'relu and pooling': () => [conv('relu'), pool()],
    linear: () => [conv('linear')],
    masks: () => [dynamic('relu')],
    'masks and pooling': () => [dynamic('relu'), pool()],
  };
  const apply = (layer: tf.layers.Layer, ...x: tf.SymbolicTensor[]) =>
    layer.apply(x.length === 1 ? x[0] : x) as tf.SymbolicTensor;
  for (const mass of [undefined, 0.9]) {
    const inner = (activation: 'relu' | 'linear') =>
      mass === undefined ? conv(activation) : dynamic(activation);
    const block = (x: tf.SymbolicTensor) => {
      const sum = apply(tf.layers.add(), apply(inner('linear'), apply(inner('relu'), x)), x);
      return apply(tf.layers.reLU(), sum);
    };
    for (const [variant, size] of Object.entries(sizes)) {
      for (const [before, layers] of Object.entries(befores)) {
        const model = modelOf([size, size, 3], (x) => {
          const first = chain(...layers())(x);
          const sums = block(block(first));
          // The second has a residual that is read again.
          return apply(tf.layers.concatenate(), block(sums), sums);
        });
        const label = `${variant}, mass ${mass}, after ${before}`;
        assert.ok(agrees(label, model, variant) > 0, `${label} is not used`);
      }
    }
  }
});
