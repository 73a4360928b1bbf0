/** What the benchmark of networks makes of its command line, of masks and of figures. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../bench/harness.js';
import { withTables } from '../../bench/report.js';
import { randomMaskSets } from '../../bench/models/masks.js';
import { imagenetResnet } from '../../bench/models/imagenetResnet.js';
import { settingsOf } from '../../bench/models/options.js';
import { plotSpeedUps } from '../../bench/models/plot.js';
import type { Row } from '../../bench/models/rounds.js';
import type { ContenderName } from '../../bench/models/spec.js';
import { modelsTable, speedUp } from '../../bench/models/table.js';
import { compile, countMacs, makeDynamic, mobilenetV1, resnet } from '../../src/index.js';

test('random masks leave out the share that was asked for', () => {
  for (const dense of [resnet({ depth: 20, seed: 1 }), mobilenetV1({ seed: 1, alpha: 0.5 })]) {
    const model = makeDynamic(dense, { mass: 0.9 });
    const session = compile(model, { maxBatch: 4, measure: false });
    for (const wanted of [0.3, 0.5, 0.7]) {
      const { sets, density, reduction } = randomMaskSets(model, {
        ...{ reduction: wanted, n: 4, count: 3 },
      });
      assert.ok(Math.abs(reduction - wanted) < 0.025, `${wanted}: ${reduction}`);
      assert.equal(sets.length, 3);
      assert.notDeepEqual(sets[0], sets[1]);
      for (const masks of sets) {
        for (const { channels, maskOffset } of session.dynamicLayers) {
          const rows = Array.from({ length: 4 }, (_, sample) => {
            const start = sample * session.maskWidth + maskOffset;
            return masks.subarray(start, start + channels);
          });
          for (const row of rows) {
            const active = row.reduce((sum, value) => sum + value, 0);
            assert.equal(active, Math.max(1, Math.round(density * channels)));
          }
        }
      }
      const image = new Float32Array(4 * 32 * 32 * 3);
      const { macs } = session.run(image, { forcedMasks: sets[0] });
      const mean = macs.skippable.reduce((sum, value) => sum + value, 0) / 4;
      assert.ok(Math.abs(1 - mean / macs.dense - reduction) < 0.01);
    }
    const { sets, density } = randomMaskSets(model, { reduction: 0, n: 4, count: 1 });
    assert.equal(density, 1);
    assert.ok(sets[0].every((value) => value === 1));
    session.dispose();
  }
});

test('the ResNets for ImageNet have the published size', () => {
  // What countMacs counts of the average pool, beside convolutions and the classifier.
  const pool = 512;
  assert.equal(countMacs(imagenetResnet({ depth: 18, classes: 1000 })).total, 1_814_073_344 + pool);
  assert.equal(countMacs(imagenetResnet({ depth: 34, classes: 1000 })).total, 3_663_761_408 + pool);
});

test('options choose cases', () => {
  const { cases, pace, save } = settingsOf(
    [
      '--networks',
      'resnet',
      '--batch',
      '2,4',
      '--contenders',
      'dense,dynamic,wasm',
      '--rounds',
      '3',
    ],
    ['vgg16', 'resnet18', 'resnet34'],
  );
  const threads = [...new Set([1, cpus().length])];
  assert.equal(cases.length, threads.length * 2 * 2);
  assert.deepEqual([...new Set(cases.map(({ network }) => network))], ['resnet18', 'resnet34']);
  assert.deepEqual(cases.at(-1), {
    ...{ network: 'resnet34', batch: 4, threads: cpus().length },
    contenders: ['dense', 'dynamic0', 'dynamic30', 'dynamic50', 'dynamic70', 'wasm'],
  });
  assert.deepEqual([pace, save], [{ rounds: 3, turnMs: 400 }, false]);
  assert.equal(settingsOf([], ['vgg16']).save, true);
  for (const [args, message] of [
    [['--networks', 'alexnet'], /^Error: --networks: expected parts of vgg16, got "alexnet"$/],
    [['--batch', '0'], /^Error: --batch: expected integers from 1, got "0"$/],
    [['--contenders', 'dynamic100'], /got "dynamic100"$/],
    [['--round', '3'], /--round/],
  ] as [string[], RegExp][]) {
    assert.throws(() => settingsOf(args, ['vgg16']), message);
  }
});

const row = (contender: ContenderName, batch: number, median: number, reduction?: number): Row => ({
  ...{ network: 'vgg16', contender, batch, threads: 2, error: 0, denseMacs: 1 },
  ...{ median, p10: median, p90: median, rounds: [median], runs: 1 },
  ...(reduction === undefined ? {} : { reduction }),
});

const rows = [
  row('ort', 1, 8),
  row('dense', 1, 4),
  row('dynamic50', 1, 2.5, 0.5),
  row('ort', 8, 100),
  row('dynamic50', 8, 200, 0.49),
];

test('the table compares with ONNX Runtime, and has a dash where nothing was timed', () => {
  const table = modelsTable(rows, ['ort', 'dense', 'dynamic50'], { ort: '1.2.3' });
  const cells = table.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  assert.deepEqual(cells[0], ['network', 'batch', 'ONNX Runtime 1.2.3', 'dense', '50 % skipped']);
  assert.deepEqual(cells.slice(2), [
    ['VGG16-BN, 32x32', '1', '8.00', '4.00 (2.00x)', '2.50 (3.20x)'],
    ['VGG16-BN, 32x32', '8', '100', '-', '200 (0.50x)'],
    ['geometric mean', '1', '-', '2.00x', '3.20x'],
    ['geometric mean', '8', '-', '-', '0.50x'],
    ['geometric mean', 'all', '-', '2.00x', '1.26x'],
  ]);
});

test('ratios are of turns in the same round', () => {
  const slow = [1, 1, 10];
  const ort = { ...row('ort', 1, 4), rounds: slow.map((factor) => 4 * factor) };
  const dense = { ...row('dense', 1, 20), rounds: slow.map((factor) => 2 * factor) };
  assert.equal(speedUp([ort, dense], dense), 2);
  assert.equal(speedUp([dense], dense), undefined);
  const few = { ...dense, rounds: dense.rounds.slice(0, 1) };
  assert.equal(speedUp([ort, few], few), 2);
  assert.equal(speedUp([{ ...ort, rounds: [6] }, dense], dense), 3);
});

test('the table ends with the means of other numbers of threads', () => {
  const twice = rows.map((row) => ({ ...row, threads: 1, rounds: row.rounds.map((ms) => ms * 2) }));
  const names: ContenderName[] = ['ort', 'dense'];
  const plain = modelsTable(rows, names, {});
  const table = modelsTable(rows, names, {}, twice);
  const added = table.split('\n').slice(plain.split('\n').length);
  const cells = added.map((line) => line.split('|').map((cell) => cell.trim()));
  const title = 'geometric mean, one thread';
  assert.deepEqual(
    cells.map((line) => line.slice(1, -1)),
    [
      [title, '1', '-', '2.00x'],
      [title, '8', '-', '-'],
      [title, 'all', '-', '2.00x'],
    ],
  );
});

test('the figure stands alone, in light and dark', () => {
  const svg = plotSpeedUps(rows)!;
  assert.match(svg, /^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"[^>]*width="\d+"/);
  assert.match(svg, /prefers-color-scheme: dark/);
  assert.doesNotMatch(svg, /#f1f/);
  const used = [...svg.matchAll(/var\(--(\w+)\)/g)].map(([, name]) => name);
  for (const name of new Set(used)) assert.equal(svg.split(`--${name}:`).length, 3, name);
  assert.ok(svg.includes('batch 8') && svg.includes('VGG16-BN, 32x32'));
  assert.equal(plotSpeedUps(rows.slice(0, 2)), undefined);
});

test('the README has the tables of the committed results', () => {
  const readme = readFileSync(join(projectRoot, 'README.md'), 'utf8');
  assert.match(readme, /Runtime.*dense.*skipped/);
  assert.equal(withTables(readme, join(projectRoot, 'bench', 'results')), readme);
});
