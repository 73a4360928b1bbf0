import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import * as tf from '@tensorflow/tfjs';
import type { Prediction } from '../../src/cli/commands/predict.js';
import {
  batches,
  compile,
  loadModel,
  saveModel,
  syntheticDataset,
  vggSmall,
} from '../../src/index.js';
import { normalisationOf } from '../../src/train/normalisation.js';
import { runFtwt, temporaryFolder } from './runFtwt.js';
import { classNames, tinyModels } from './tinyModels.js';

const { test: split } = syntheticDataset();
const raw = { width: 28, height: 28, channels: 1 } as const;
const pixels = (i: number) => sharp(split.images.subarray(784 * i, 784 * (i + 1)), { raw });

/** Some images of the data set as PNG files. */
async function writeImages(folder: string, count: number): Promise<string[]> {
  const paths = Array.from({ length: count }, (_, i) => join(folder, `${i}.png`));
  await Promise.all(paths.map((path, i) => pixels(i).png().toFile(path)));
  return paths;
}

test('predict says what the model says of the same pixels, whatever the batch', async (t) => {
  const models = await tinyModels(t);
  const paths = await writeImages(models, 5);
  const folder = join(models, 'dynamic');
  const args = ['predict', folder, ...paths, '--threads', '1'];
  const [json, small, table] = await Promise.all([
    runFtwt([...args, '--json', '--top', '10']),
    runFtwt([...args, '--json', '--top', '10', '--batch', '2']),
    runFtwt(args),
  ]);
  assert.equal(json.exitCode, 0, json.stderr);
  const predictions = JSON.parse(json.stdout) as Prediction[];
  assert.deepEqual(
    predictions.map(({ file }) => file),
    paths,
  );

  const model = await loadModel(folder);
  const [{ x }] = batches(split, { batchSize: 5, ...normalisationOf(model) });
  const session = compile(model, { maxBatch: 5, measure: false });
  const { macs } = session.run(x);
  const expected = tf.tidy(() => {
    const logits = model.predict(tf.tensor4d(x, [5, 28, 28, 1])) as tf.Tensor2D;
    return logits.softmax().arraySync() as number[][];
  });
  for (const [i, { classes, macsShare }] of predictions.entries()) {
    assert.equal(classes.length, 10);
    assert.equal(macsShare, macs.skippable[i] / macs.dense);
    for (const [rank, { index, name, probability }] of classes.entries()) {
      assert.ok(Math.abs(probability - expected[i][index]) < 1e-5);
      assert.equal(name, classNames[index]);
      assert.ok(rank === 0 || probability <= classes[rank - 1].probability);
    }
  }
  session.dispose();
  model.dispose();

  assert.equal(small.exitCode, 0, small.stderr);
  for (const [i, { classes, macsShare }] of (JSON.parse(small.stdout) as Prediction[]).entries()) {
    assert.equal(macsShare, predictions[i].macsShare);
    assert.equal(classes[0].index, predictions[i].classes[0].index);
    assert.ok(Math.abs(classes[0].probability - predictions[i].classes[0].probability) < 1e-5);
  }

  assert.equal(table.exitCode, 0, table.stderr);
  const lines = table.stdout.trimEnd().split('\n');
  assert.match(lines[0], /^file +class +probability +MACs computed$/);
  assert.equal(lines.length, 2 + 3 * 5);
  const [{ file, classes }] = predictions;
  assert.match(lines[2], new RegExp(`^${file} +${classes[0].name} +[\\d.]+ % +[\\d.]+ %$`));
  assert.match(lines[3], new RegExp(`^ +${classes[1].name} +[\\d.]+ %$`));
});

test('images are brought to what the model takes', async (t) => {
  const models = await tinyModels(t);
  const wide = join(models, 'wide.png');
  // The middle is the image; what sticks out left and right is white.
  const frame = { top: 0, bottom: 0, left: 28, right: 28, background: 'white' };
  await pixels(0).toColourspace('srgb').extend(frame).png().toFile(wide);
  const [plain] = await writeImages(models, 1);
  const run = async (...args: string[]) => {
    const outcome = await runFtwt(['predict', join(models, 'dense'), ...args, '--json']);
    assert.equal(outcome.exitCode, 0, outcome.stderr);
    return JSON.parse(outcome.stdout) as Prediction[];
  };
  const [cover, fill] = await Promise.all([run(plain, wide), run(wide, '--fit', 'fill')]);
  assert.deepEqual(cover[1].classes, cover[0].classes);
  assert.equal(cover[0].macsShare, 1);
  assert.notDeepEqual(fill[0].classes, cover[0].classes);
});

test('files that cannot be read are all named; the others are classified', async (t) => {
  const models = await tinyModels(t);
  const [good, other] = await writeImages(models, 2);
  const [empty, text, none] = ['empty.png', 'text.png', 'none.png'].map((n) => join(models, n));
  await writeFile(empty, '');
  await writeFile(text, 'not an image');
  const args = ['predict', join(models, 'dense'), '--top', '1', '--batch', '2'];
  const [some, nothing] = await Promise.all([
    runFtwt([...args, '--json', empty, good, text, models, none, other]),
    runFtwt([...args, none]),
  ]);
  assert.equal(some.exitCode, 1);
  assert.deepEqual(
    (JSON.parse(some.stdout) as Prediction[]).map(({ file, classes }) => [file, classes.length]),
    [
      [good, 1],
      [other, 1],
    ],
  );
  const errors = some.stderr.trimEnd().split('\n');
  assert.equal(errors.length, 4);
  assert.match(
    errors[0],
    /^error: \S+empty\.png does not decode: the file is empty \[CORRUPT_FILE\]$/,
  );
  assert.match(errors[1], /^error: \S+text\.png does not decode: .* \[CORRUPT_FILE\]$/);
  assert.match(errors[2], /^error: \S+ cannot be read: EISDIR.* \[NOT_FOUND\]$/);
  assert.match(errors[3], /^error: \S+none\.png cannot be read: ENOENT.* \[NOT_FOUND\]$/);
  assert.equal(nothing.exitCode, 1);
  assert.equal(nothing.stdout, '');
  assert.match(nothing.stderr, /^error: \S+none\.png cannot be read: ENOENT[^\n]*\n$/);
});

test('a model that is not for images, or bad options, end with what was expected', async (t) => {
  const folder = await temporaryFolder(t);
  const [image] = await writeImages(folder, 1);
  const strange = tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 2 })] });
  const foreign = vggSmall({ inputShape: [28, 28, 1], widths: [4], seed: 1 });
  await saveModel(strange, join(folder, 'strange'));
  await saveModel(foreign, join(folder, 'foreign'));
  const cases: [string[], number, RegExp][] = [
    [['strange', image], 1, /expected a model of grey or RGB images, .* got \[4\] \[INVALID/],
    [['foreign', image], 1, /does not tell how images were normalised/],
    [['none', image], 1, /none cannot be read: ENOENT/],
    [['foreign'], 2, /missing required argument 'images'/],
    [['foreign', image, '--top', '0'], 2, /Expected a whole number above 0/],
    [['foreign', image, '--fit', 'crop'], 2, /Allowed choices are cover, fill/],
  ];
  const outcomes = await Promise.all(
    cases.map(([args]) => runFtwt(['predict', ...args], undefined, folder)),
  );
  for (const [i, [args, code, message]] of cases.entries()) {
    assert.equal(outcomes[i].exitCode, code, args.join(' '));
    assert.match(outcomes[i].stderr, message);
    assert.equal(outcomes[i].stdout, '');
  }
});
