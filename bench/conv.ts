/** Times convolutions and their gradients on the `native` backend: `npm run bench -- conv [part of a name]`. */
import * as tf from '@tensorflow/tfjs';
import '../src/index.js';

interface Layer {
  name: string;
  /** Height and width (SAME padding, stride 1 unless given). */
  size: number;
  cIn: number;
  cOut: number;
  kernel: number;
  stride?: number;
  batch: number;
}

const layers: Layer[] = [
  { name: 'vgg1', size: 28, cIn: 1, cOut: 32, kernel: 3, batch: 128 },
  { name: 'vgg2', size: 28, cIn: 32, cOut: 32, kernel: 3, batch: 128 },
  { name: 'vgg3', size: 14, cIn: 32, cOut: 64, kernel: 3, batch: 128 },
  { name: 'vgg4', size: 14, cIn: 64, cOut: 64, kernel: 3, batch: 128 },
  { name: 'vgg5', size: 7, cIn: 64, cOut: 128, kernel: 3, batch: 128 },
  { name: '64ch 28x28', size: 28, cIn: 64, cOut: 64, kernel: 3, batch: 128 },
  { name: '128ch 14x14', size: 14, cIn: 128, cOut: 128, kernel: 3, batch: 128 },
  { name: '16ch 32x32', size: 32, cIn: 16, cOut: 16, kernel: 3, batch: 128 },
  { name: '512ch 7x7', size: 7, cIn: 512, cOut: 512, kernel: 3, batch: 8 },
  { name: '512ch 2x2', size: 2, cIn: 512, cOut: 512, kernel: 3, batch: 32 },
  { name: '1x1 256ch 14x14', size: 14, cIn: 256, cOut: 256, kernel: 1, batch: 32 },
  { name: 'stride 2 64ch 28x28', size: 28, cIn: 64, cOut: 128, kernel: 3, stride: 2, batch: 32 },
  { name: '64ch 28x28 batch 1', size: 28, cIn: 64, cOut: 64, kernel: 3, batch: 1 },
];

/** Milliseconds of the fastest and the median of repeated calls. */
function time(body: () => tf.Tensor): { best: number; median: number } {
  body().dispose();
  const times: number[] = [];
  const end = performance.now() + 300;
  while (times.length < 5 || (performance.now() < end && times.length < 50)) {
    const start = performance.now();
    const result = body();
    times.push(performance.now() - start);
    result.dispose();
  }
  times.sort((a, b) => a - b);
  return { best: times[0], median: times[times.length >> 1] };
}

function runLayer(layer: Layer): string {
  const { size, cIn, cOut, kernel, stride = 1, batch } = layer;
  return tf.tidy(() => {
    const x = tf.randomNormal([batch, size, size, cIn]) as tf.Tensor4D;
    const filter = tf.randomNormal([kernel, kernel, cIn, cOut]) as tf.Tensor4D;
    const attrs = { strides: stride, pad: 'same' as const, dataFormat: 'NHWC' as const };
    const dy = tf.onesLike(tf.conv2d(x, filter, stride, 'same'));
    const runs: Record<string, () => tf.Tensor> = {
      forward: () => tf.conv2d(x, filter, stride, 'same'),
      input: () =>
        tf
          .engine()
          .runKernel('Conv2DBackpropInput', { dy, filter }, { ...attrs, inputShape: x.shape }),
      filter: () =>
        tf
          .engine()
          .runKernel('Conv2DBackpropFilter', { x, dy }, { ...attrs, filterShape: filter.shape }),
    };
    const gflop = (2 * dy.size * kernel * kernel * cIn) / 1e9;
    const cells = Object.values(runs).map((body) => {
      const { best, median } = time(body);
      const rate = (ms: number) => ((gflop / ms) * 1e3).toFixed(0).padStart(3);
      return `${median.toFixed(2).padStart(7)} ms ${rate(median)} (best ${rate(best)})`;
    });
    return `${layer.name.padEnd(20)} ${cells.join('  | ')}`;
  });
}

/** @param args parts of layer names; none runs all. */
export async function run(args: string[]): Promise<void> {
  await tf.setBackend('native');
  console.log(
    `${''.padEnd(20)} forward, input gradient, filter gradient: median, GFLOP/s (GFLOP/s of the fastest)`,
  );
  for (const layer of layers) {
    if (args.length === 0 || args.some((arg) => layer.name.includes(arg)))
      console.log(runLayer(layer));
  }
}
