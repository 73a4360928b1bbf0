// Checks of compiled sessions that take longer than tests may: dynamic networks trained on a data set and compared with
// their sessions image by image, then memory over many runs. Fails where a logit is off by 1e-4 of the largest, where a
// mask differs that is no rounding error, or where memory grows.
//
//   npm run soak -- --data folder:DIR      a data set as the command `ftwt` takes it; default synthetic
//     --networks vgg16Bn,resnet20 --train-images 6400 --epochs 1 --test-images 512 --runs 1000000
//     --device native|emulator|cuda          where the compared sessions run
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { compile, loadDataset, mobilenetV1, resnet, vgg16Bn, vggSmall } from '../dist/src/index.js';
import { leavesNothing } from '../dist/test/memoryUse.js';
import { compare } from '../dist/test/session/compare.js';
import { partOf, testImages, trainDynamic } from '../dist/test/session/trained.js';

const builders = {
  vgg16Bn: (shape) => vgg16Bn(shape),
  resnet20: (shape) => resnet({ depth: 20, ...shape }),
  mobilenetV1: (shape) => mobilenetV1(shape),
};
const batchSizes = [1, 3, 8, 33];
const largestLogitError = 1e-4;
const largestRounding = 1e-6;

const { values: settings } = parseArgs({
  options: {
    data: { type: 'string', default: 'synthetic' },
    networks: { type: 'string', default: Object.keys(builders).join() },
    'train-images': { type: 'string', default: '6400' },
    epochs: { type: 'string', default: '1' },
    'test-images': { type: 'string', default: '512' },
    runs: { type: 'string', default: '1000000' },
    device: { type: 'string', default: 'native' },
  },
});

function minutesSince(start) {
  return `${((performance.now() - start) / 60e3).toFixed(1)} min`;
}

/** Trains a network and compares it with its session at every batch size; returns how often they disagree. */
async function compareTrained(name, dataset) {
  const start = performance.now();
  const { shape } = dataset.train;
  const dense = builders[name]({ inputShape: shape, classes: dataset.classes.length, seed: 1 });
  const recipe = { mass: 0.9, batchSize: 32, epochs: Number(settings.epochs) };
  const model = await trainDynamic(dense, dataset, recipe);
  console.log(`${name}: trained on ${dataset.train.count} images in ${minutesSince(start)}`);
  const session = compile(model, { device: settings.device, maxBatch: Math.max(...batchSizes) });
  const x = testImages(dataset, Number(settings['test-images']));
  let failures = 0;
  for (const n of batchSizes) {
    const sum = { logitError: 0, decisions: 0, active: 0, mismatches: [] };
    for (let first = 0; first < x.shape[0]; first += n) {
      const part = x.slice([first, 0, 0, 0], [Math.min(n, x.shape[0] - first), -1, -1, -1]);
      const { logitError, decisions, active, mismatches } = compare(model, session, part);
      part.dispose();
      if (!(logitError <= sum.logitError)) sum.logitError = logitError;
      sum.decisions += decisions;
      sum.active += active;
      sum.mismatches.push(...mismatches.map((m) => ({ ...m, image: m.image + first })));
    }
    const share = ((100 * sum.active) / sum.decisions).toFixed(1);
    console.log(
      `${name} on ${settings.device}, batch ${n}: ${x.shape[0]} images, worst logit error ${sum.logitError.toExponential(1)}, ` +
        `${sum.mismatches.length} of ${sum.decisions} masks differ (${share} % active)`,
    );
    for (const { layer, image, channel, relativeMaskLogit } of sum.mismatches) {
      console.log(`  ${layer}, image ${image}, channel ${channel}: ${relativeMaskLogit}`);
      if (!(Math.abs(relativeMaskLogit) <= largestRounding)) failures++;
    }
    if (!(sum.logitError <= largestLogitError)) failures++;
  }
  session.dispose();
  x.dispose();
  model.dispose();
  return failures;
}

/** Runs of a small network, with one image and with several. */
async function soakMemory(runs) {
  const start = performance.now();
  const dense = vggSmall({ widths: [8, 'M', 8, 'M', 8], inputShape: [8, 8, 1], seed: 1 });
  const session = compile(dense, { maxBatch: 9 });
  const images = [1, 2, 9].map((n) => new Float32Array(n * 64).fill(0.5));
  const run = (times) => {
    for (let i = 0; i < times; i++) session.run(images[i % 3], { masks: i % 2 === 0 });
  };
  run(20_000);
  await leavesNothing(() => run(runs));
  session.dispose();
  console.log(`memory is flat after ${runs} runs, ${minutesSince(start)}`);
}

await tf.setBackend('native');
const dataset = partOf(
  await loadDataset(settings.data, { shape: [32, 32, 3], count: 6400, testCount: 512 }),
  Number(settings['train-images']),
);
let failures = 0;
for (const name of settings.networks.split(',').filter((network) => network !== '')) {
  failures += await compareTrained(name, dataset);
}
if (Number(settings.runs) > 0) await soakMemory(Number(settings.runs));
process.exitCode = failures === 0 ? 0 : 1;
