import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import type { CompileReport } from '../../src/cli/commands/compile.js';
import { loadModel, saveModel, toOnnx } from '../../src/index.js';
import { runFtwt, temporaryFolder } from './runFtwt.js';
import { tinyModels } from './tinyModels.js';

test('compile shows the plan, and writes it and the ONNX file', async (t) => {
  const models = await tinyModels(t);
  const dynamic = join(models, 'dynamic');
  const [onnx, json] = [join(models, 'x.onnx'), join(models, 'x.json')];
  const files = ['--onnx', onnx, '--json', json, '--data', 'synthetic', '--limit', '16'];
  const [whole, printed] = await Promise.all([
    runFtwt(['compile', dynamic, '--batch', '8', '--threads', '1', ...files]),
    runFtwt(['compile', join(models, 'dense'), '--batch', '2', '--json', '-']),
  ]);

  assert.equal(whole.exitCode, 0, whole.stderr);
  assert.match(whole.stdout, /^vggSmall, images 28x28x1; native, \w+, 1 thread$/m);
  assert.match(whole.stdout, /^conv1 +dynamic conv +28x28x8 +\S.*\S +[\d.]+ +56\.4 k +[\d.]+ k$/m);
  assert.match(whole.stdout, /^total +[\d.]+ +[\d.]+ k +[\d.]+ k$/m);
  assert.match(whole.stdout, /^batch +8 images of synthetic$/m);
  assert.match(whole.stdout, /^check +agrees with model\.predict: 4 images of synthetic,/m);
  const lines = whole.stdout.split('\n').filter((line) => !line.includes(onnx));
  assert.deepEqual(
    lines.filter(({ length }) => length > 80),
    [],
  );
  const report = JSON.parse(await readFile(json, 'utf8')) as CompileReport;
  assert.deepEqual(
    report.layers.map(({ name, kind, dynamic: is }) => [name, kind, is]),
    [
      ['conv1', 'conv', true],
      ['pool1', 'pool', false],
      ['pool2', 'pool', false],
      ['conv2', 'conv', true],
      ['pool', 'globalPool', false],
      ['classifier', 'dense', false],
    ],
  );
  const [conv1] = report.layers;
  assert.deepEqual(conv1.outputShape, [28, 28, 8]);
  assert.equal(conv1.denseMacs, 28 * 28 * 9 * 8);
  assert.ok(conv1.activeMacs > 0 && conv1.activeMacs !== conv1.denseMacs);
  assert.ok(conv1.steps.length > 0 && conv1.steps.every(({ variant }) => variant !== ''));
  assert.equal(report.check.images, 4);
  assert.ok(report.check.error < 1e-4);
  assert.ok(report.memoryBytes > 0 && report.imagesPerSecond > 0);
  assert.deepEqual([report.batch, report.threads, report.onnx], [8, 1, onnx]);
  const model = await loadModel(dynamic);
  assert.deepEqual(new Uint8Array(await readFile(onnx)), toOnnx(model));
  model.dispose();

  assert.equal(printed.exitCode, 0, printed.stderr);
  assert.equal(printed.stderr, '');
  const random = JSON.parse(printed.stdout) as CompileReport;
  assert.deepEqual([random.images, random.batch, random.onnx], ['random', 2, null]);
  assert.ok(random.layers.every(({ denseMacs, activeMacs }) => denseMacs === activeMacs));
  assert.deepEqual((await readdir(models)).sort(), ['dense', 'dynamic', 'x.json', 'x.onnx']);
});

test('compile names the layer that no session can run', async (t) => {
  const folder = join(await temporaryFolder(t), 'model');
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 2, kernelSize: 3 }),
      tf.layers.upSampling2d({ name: 'grow' } as Parameters<typeof tf.layers.upSampling2d>[0]),
    ],
  });
  await saveModel(model, folder);
  model.dispose();
  for (const command of ['compile', 'bench']) {
    const { exitCode, stdout, stderr } = await runFtwt([command, folder]);
    assert.equal(exitCode, 1);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /error: compile: layer "grow" \(UpSampling2D\): .* not supported; [^\n]+ \[INVALID_ARGUMENT\]\n$/,
    );
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});

test('bad input ends with what was expected, and leaves no file', async (t) => {
  const models = await tinyModels(t);
  const dense = join(models, 'dense');
  const json = join(models, 'x.json');
  const cases: [string[], number, RegExp][] = [
    [[join(models, 'none')], 1, /none cannot be read: ENOENT[^\n]* \[CORRUPT_FILE\]\n$/],
    [[dense, '--onnx', models], 1, /--onnx: \S+ must be a file .*: it is a folder \[INVALID/],
    [[dense, '--json', join(json, 'y')], 1, /--json: \S+y must be a file .*: ENOENT/],
    [[dense, '--precision', 'tf32'], 1, /precision tf32 needs a GPU, got device native/],
    [[dense, '--device', 'cpu'], 2, /Expected native, cuda, cuda:N or emulator/],
    [[dense, '--batch', '0'], 2, /Expected a whole number above 0/],
    [[dense, '--data', 'mnist'], 1, /name must be one of fashion-mnist, .*, got "mnist"/],
    [[], 2, /missing required argument 'model'/],
  ];
  const outcomes = await Promise.all(
    cases.map(([args]) => runFtwt(['compile', '--json', json, ...args])),
  );
  for (const [i, [args, code, message]] of cases.entries()) {
    assert.equal(outcomes[i].exitCode, code, args.join(' '));
    assert.match(outcomes[i].stderr, message);
    assert.equal(outcomes[i].stdout, '');
  }
  assert.deepEqual((await readdir(models)).sort(), ['dense', 'dynamic']);
});
