/** Chains of one convolution, for `npm run bench -- ops`: all but the first have masks on both sides. */
import * as tf from '@tensorflow/tfjs';
import { apply, LayerFactory } from '../../src/models/parts.js';
import type { BenchNetwork } from './networks.js';

interface Geometry {
  channels: number;
  size: number;
  kernelSize?: number;
  depthwise?: boolean;
}

/** So many that converting the image is a small part. */
const length = 4;

const geometries: Geometry[] = [
  { channels: 64, size: 56 },
  { channels: 128, size: 28 },
  { channels: 256, size: 14 },
  { channels: 512, size: 7 },
  { channels: 16, size: 32 },
  { channels: 32, size: 16 },
  { channels: 64, size: 8 },
  { channels: 512, size: 4 },
  { channels: 512, size: 2 },
  { channels: 128, size: 56, kernelSize: 1 },
  { channels: 512, size: 14, kernelSize: 1 },
  { channels: 1024, size: 7, kernelSize: 1 },
  { channels: 128, size: 56, depthwise: true },
  { channels: 512, size: 14, depthwise: true },
];

export const convolutions: Record<string, BenchNetwork> = Object.fromEntries(
  geometries.map((geometry) => {
    const { channels, size, kernelSize = 3, depthwise } = geometry;
    const kernel = depthwise ? 'depthwise' : `${kernelSize}x${kernelSize}`;
    const title = `${kernel} ${channels}ch ${size}x${size}`;
    return [title.replaceAll(' ', '-'), { title, build: () => chain(geometry) }];
  }),
);

function chain({ channels, size, kernelSize = 3, depthwise = false }: Geometry): tf.LayersModel {
  const factory = new LayerFactory(1);
  const input = tf.input({ shape: [size, size, channels] });
  let x = input as tf.SymbolicTensor;
  for (let i = 1; i <= length; i++) {
    const name = `conv${i}`;
    x = depthwise
      ? factory.depthwise(x, name, 1)
      : factory.convolution(x, { name, filters: channels, kernelSize });
  }
  const pool = tf.layers.globalAveragePooling2d({ name: 'pool', dataFormat: 'channelsLast' });
  return tf.model({ inputs: input, outputs: apply(pool, x) });
}
