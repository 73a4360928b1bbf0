/**
 * Times the channel-sparse convolution and its gradients on the backend `native` against the dense ones:
 * `npm run bench -- sparse`. Every sample has its own random masks; both are as dense as the row says.
 */
import * as tf from '@tensorflow/tfjs';
import { channelSparseConv2d } from '../src/index.js';

const layers = [
  { name: '64ch 28x28', size: 28, channels: 64 },
  { name: '128ch 14x14', size: 14, channels: 128 },
  { name: '256ch 7x7', size: 7, channels: 256 },
];
const densities = [1, 0.7, 0.5, 0.3];
const batch = 8;
const rounds = 41;

type Pass = () => tf.Tensor;

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1];
}

/** Medians in milliseconds. Contenders take turns, so that a slow moment of the machine meets all of them. */
function timeInTurns(passes: Pass[]): number[] {
  const times = passes.map((): number[] => []);
  for (let round = -3; round < rounds; round++) {
    passes.forEach((pass, i) => {
      const start = performance.now();
      const result = pass();
      if (round >= 0) times[i].push(performance.now() - start);
      result.dispose();
    });
  }
  return times.map(median);
}

/** Exactly `density` of the channels of every sample, drawn at random. */
function randomMask(channels: number, density: number): tf.Tensor2D {
  const rows = Array.from({ length: batch }, () => {
    const row = Array.from({ length: channels }, (_, i) =>
      i < Math.round(density * channels) ? 1 : 0,
    );
    tf.util.shuffle(row);
    return row;
  });
  return tf.tensor2d(rows);
}

function timeLayer({ size, channels }: (typeof layers)[number]) {
  const shape: [number, number, number, number] = [batch, size, size, channels];
  const [x, dy] = [tf.randomNormal(shape), tf.randomNormal(shape)] as tf.Tensor4D[];
  const filter = tf.randomNormal([3, 3, channels, channels]) as tf.Tensor4D;
  const grads = (f: (x: tf.Tensor, w: tf.Tensor) => tf.Tensor) => {
    const passes: Pass[] = [
      () => tf.tidy(() => f(x, filter)),
      () => tf.tidy(() => tf.grad((t: tf.Tensor) => f(t, filter))(x, dy)),
      () => tf.tidy(() => tf.grad((t: tf.Tensor) => f(x, t))(filter, dy)),
    ];
    return passes;
  };
  const dense = grads((t, w) => tf.conv2d(t as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'));
  const sparse = densities.map((density) => {
    const options = {
      pad: 'same' as const,
      inputMask: randomMask(channels, density),
      outputMask: randomMask(channels, density),
    };
    return grads((t, w) => channelSparseConv2d(t as tf.Tensor4D, w as tf.Tensor4D, options));
  });
  return ['forward', 'forward + input gradient', 'forward + filter gradient'].map((name, i) => {
    const [denseTime, ...times] = timeInTurns([dense[i], ...sparse.map((passes) => passes[i])]);
    return { name, denseTime, times };
  });
}

export async function run(): Promise<void> {
  await tf.setBackend('native');
  const heads = densities.map((density) => `density ${density}`.padStart(20)).join('');
  console.log(`${''.padEnd(42)}${'dense ms'.padStart(10)}${heads}   (ms, times faster than dense)`);
  for (const layer of layers) {
    for (const { name, denseTime, times } of tf.tidy(() => timeLayer(layer))) {
      const cells = times.map((ms) =>
        `${ms.toFixed(2)} ${(denseTime / ms).toFixed(2)}x`.padStart(20),
      );
      const title = `${layer.name}, batch ${batch}, ${name}`;
      console.log(`${title.padEnd(42)}${denseTime.toFixed(2).padStart(10)}${cells.join('')}`);
    }
  }
}
