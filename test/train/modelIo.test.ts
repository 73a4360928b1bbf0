import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { type FtwtError, loadModel, saveModel } from '../../src/index.js';
import { allClose } from '../allClose.js';
import { temporaryFolder } from '../temporaryFolder.js';

beforeEach(() => tf.setBackend('native'));

function tinyModel(seed: number): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [4, 4, 1],
        filters: 2,
        kernelSize: 3,
        kernelInitializer: tf.initializers.heNormal({ seed }),
      }),
      tf.layers.batchNormalization(),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, kernelInitializer: tf.initializers.heNormal({ seed }) }),
    ],
  });
}

function assertSameWeights(a: tf.LayersModel, b: tf.LayersModel): void {
  const [left, right] = [a.getWeights(), b.getWeights()];
  assert.equal(left.length, right.length);
  left.forEach((weight, i) => assert.deepEqual(weight.dataSync(), right[i].dataSync()));
}

async function corrupt(action: Promise<unknown>, ...parts: (string | RegExp)[]): Promise<void> {
  await assert.rejects(action, (error: FtwtError) => {
    assert.equal(error.code, 'CORRUPT_FILE', error.stack);
    for (const part of parts) {
      assert.ok(
        typeof part === 'string' ? error.message.includes(part) : part.test(error.message),
        `${error.message} should mention ${part}`,
      );
    }
    return true;
  });
}

test('saveModel and loadModel round trip, also over an older model', async () => {
  const folder = join(temporaryFolder(), 'deep', 'model');
  await saveModel(tinyModel(1), folder);
  const model = tinyModel(2);
  await saveModel(model, folder);
  assert.deepEqual(readdirSync(folder).sort(), ['model.json', 'weights.bin']);
  const loaded = await loadModel(folder);
  assertSameWeights(model, loaded);
  const x = tf.randomNormal<tf.Rank.R4>([2, 4, 4, 1], 0, 1, 'float32', 3);
  allClose(loaded.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor);
});

test('file:// addresses work through tfjs itself, and metadata survives', async () => {
  const folder = join(temporaryFolder(), 'model');
  const model = tinyModel(1);
  model.setUserDefinedMetadata({ classes: ['a', 'b', 'c'] });
  await model.save(`file://${folder}`);
  for (const address of [`file://${folder}/model.json`, `file://${folder}`]) {
    const loaded = await tf.loadLayersModel(address);
    assertSameWeights(model, loaded);
    assert.deepEqual(loaded.getUserDefinedMetadata(), { classes: ['a', 'b', 'c'] });
  }
});

test('file:// is left to tfjs-node where that is loaded', () => {
  assert.equal(tf.io.getSaveHandlers('file:///some/folder').length, 1);
  assert.equal(tf.io.getLoadHandlers('file:///some/model.json').length, 1);
  tf.registerBackend('tensorflow', () => new tf.KernelBackend(), 0);
  try {
    assert.equal(tf.io.getSaveHandlers('file:///some/folder').length, 0);
    assert.equal(tf.io.getLoadHandlers('file:///some/model.json').length, 0);
  } finally {
    tf.removeBackend('tensorflow');
  }
});

test('models that other tools saved load: no checksum, several shards', async () => {
  const folder = temporaryFolder();
  const model = tinyModel(1);
  await saveModel(model, folder);
  const json = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const weights = readFileSync(join(folder, 'weights.bin'));
  delete json.sha256;
  json.weightsManifest[0].paths = ['a.bin', 'b.bin'];
  writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
  writeFileSync(join(folder, 'a.bin'), weights.subarray(0, 10));
  writeFileSync(join(folder, 'b.bin'), weights.subarray(10));
  unlinkSync(join(folder, 'weights.bin'));
  assertSameWeights(await loadModel(folder), model);
  truncateSync(join(folder, 'b.bin'), 8);
  await corrupt(loadModel(folder), 'b.bin', `expected ${weights.length} bytes together, got 18`);
});

test('a save that was cut off between its steps leaves a model that loads and can be replaced', async () => {
  const folder = temporaryFolder();
  await saveModel(tinyModel(1), folder);
  // As after the interim step: model.json refers to the interim weights, weights.bin is half new.
  const json = readFileSync(join(folder, 'model.json'), 'utf8');
  writeFileSync(join(folder, 'model.json'), json.replaceAll('weights.bin', 'weights.interim.bin'));
  writeFileSync(join(folder, 'weights.interim.bin'), readFileSync(join(folder, 'weights.bin')));
  truncateSync(join(folder, 'weights.bin'), 5);
  writeFileSync(join(folder, '.incomplete-0123456789ab'), 'half');
  assertSameWeights(await loadModel(folder), tinyModel(1));
  await saveModel(tinyModel(2), folder);
  assertSameWeights(await loadModel(folder), tinyModel(2));
  assert.deepEqual(readdirSync(folder).sort(), ['model.json', 'weights.bin']);
});

test('missing, truncated and damaged files are named with expected and actual', async () => {
  const folder = temporaryFolder();
  const weights = join(folder, 'weights.bin');
  const json = join(folder, 'model.json');
  await corrupt(loadModel(folder), json, 'ENOENT');
  await saveModel(tinyModel(1), folder);
  const content = readFileSync(weights);
  content[17] ^= 1;
  writeFileSync(weights, content);
  await corrupt(loadModel(folder), weights, 'sha256');
  truncateSync(weights, 21);
  await corrupt(loadModel(folder), weights, `expected ${content.length} bytes, got 21`);
  unlinkSync(weights);
  await corrupt(loadModel(folder), weights, 'ENOENT');
  truncateSync(json, 30);
  await corrupt(tf.loadLayersModel(`file://${json}`), json, 'expected JSON, got 30 bytes');
  writeFileSync(json, '{}');
  await corrupt(loadModel(folder), json, 'expected a tfjs model');
  for (const damaged of [
    null,
    { modelTopology: null, weightsManifest: [] },
    { modelTopology: {}, weightsManifest: [null] },
    { modelTopology: {}, weightsManifest: [{ weights: [] }] },
    { modelTopology: {}, weightsManifest: [{ paths: ['weights.bin'], weights: [{}] }] },
  ]) {
    writeFileSync(json, JSON.stringify(damaged));
    await corrupt(loadModel(folder), json, 'expected a tfjs model');
  }
});

test('a folder that cannot be written is an error', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  await assert.rejects(saveModel(tinyModel(1), join(file, 'model')), (error: FtwtError) => {
    assert.equal(error.code, 'INVALID_ARGUMENT');
    assert.match(error.message, /must be a folder that can be written to: ENOTDIR/);
    return true;
  });
});
