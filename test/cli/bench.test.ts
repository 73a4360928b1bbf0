import assert from 'node:assert/strict';
import { cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { peerVersion } from '../../bench/peers/load.js';
import type { BenchReport } from '../../src/cli/commands/bench.js';
import { installFakeOnnxRuntime } from './fakeOnnxRuntime.js';
import { interruptAt, runFtwt } from './runFtwt.js';
import { tinyModels } from './tinyModels.js';

const quick = ['--seconds', '0.02', '--threads', '1'];

const ours = ['dense session', 'dynamic session'];
const predicts = ['dense model.predict', 'dynamic model.predict'];

test('bench times sessions and model.predict, and says that ONNX Runtime is missing', async (t) => {
  const models = await tinyModels(t);
  await installFakeOnnxRuntime(models, { version: '1.1.1', broken: true });
  const json = join(models, 'x.json');
  const args = ['bench', 'dynamic', '--batch', '1,4', '--json', json, '--data', 'synthetic'];
  const { exitCode, stdout, stderr } = await runFtwt([...args, ...quick], undefined, models);
  assert.equal(exitCode, 0, stderr);
  assert.match(
    stderr,
    /^Without ONNX Runtime: onnxruntime-node 1\.1\.1 does not load: no library/m,
  );
  assert.match(stderr, /^Timing batch 4 \(2 of 2\)$/m);
  assert.match(stdout, /^64 images of synthetic; ratios to dense model\.predict$/m);
  assert.match(stdout, /^batch 4 +images\/s +10 % to 90 % +ms +ratio +MACs$/m);
  assert.match(stdout, /^dynamic session( +[\d.,]+){2} to [\d.,]+ +[\d.,]+ +[\d.]+x +[\d.]+ %$/m);
  assert.match(stdout, /^dense model\.predict .* 1\.00x +-$/m);
  const report = JSON.parse(await readFile(json, 'utf8')) as BenchReport;
  assert.deepEqual(
    report.rows.map(({ contender, batch }) => [contender, batch]),
    [1, 4].flatMap((batch) => [...ours, ...predicts].map((name) => [name, batch])),
  );
  for (const { batch, milliseconds, imagesPerSecond, runs, error } of report.rows) {
    assert.ok(runs >= 1 && error < 1e-4);
    assert.ok(milliseconds.p10 <= milliseconds.median && milliseconds.median <= milliseconds.p90);
    // Of interpolated medians, one is below the other's inverse.
    assert.ok(imagesPerSecond.median >= (0.999 * 1000 * batch) / milliseconds.median);
  }
  const { macsShare } = report.rows[1];
  assert.ok(macsShare! > 0 && macsShare! !== 1);
  assert.deepEqual(report.failures, []);
  assert.equal(report.onnxRuntime, null);
  assert.equal(report.machine.threads, 1);
  assert.match(report.dense!, /dense$/);
});

test('a contender with wrong results is not timed', async (t) => {
  const models = await tinyModels(t);
  await installFakeOnnxRuntime(models, { version: '1.1.1' });
  const args = ['bench', 'dense', '--batch', '2', '--json', '-', ...quick];
  const { exitCode, stdout, stderr } = await runFtwt(args, undefined, models);
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /^error: dense ONNX Runtime 1\.1\.1, batch 2, is not timed: wrong results: model\.predict: logit 0 should be [-\d.e]+, got 0 \[INTERNAL\]\n$/,
  );
  const report = JSON.parse(stdout) as BenchReport;
  assert.deepEqual(
    report.rows.map(({ contender }) => contender),
    ['dense session', 'dense model.predict'],
  );
  assert.deepEqual(
    report.failures.map(({ contender, batch, wrong }) => [contender, batch, wrong]),
    [['dense ONNX Runtime 1.1.1', 2, true]],
  );
  assert.equal(report.onnxRuntime, '1.1.1');
  const table = await runFtwt(['bench', 'dense', '--batch', '2', ...quick], undefined, models);
  assert.equal(table.exitCode, 1);
  assert.match(table.stdout, /^dense ONNX Runtime 1\.1\.1 +wrong( +-){4}$/m);
});

const peer = peerVersion('onnxruntime-node');
test('ONNX Runtime gives the right results, dense and dynamic', { skip: !peer }, async (t) => {
  const models = await tinyModels(t);
  await cp(join(models, 'dynamic'), join(models, 'elsewhere', 'alone'), { recursive: true });
  const args = ['--batch', '3', '--json', '-', ...quick];
  const [both, alone] = await Promise.all(
    [join(models, 'dynamic'), join(models, 'elsewhere', 'alone')].map((folder) =>
      runFtwt(['bench', folder, ...args], undefined, models),
    ),
  );
  const names = ({ stdout, stderr, exitCode }: typeof both) => {
    assert.equal(exitCode, 0, stderr);
    return (JSON.parse(stdout) as BenchReport).rows.map(({ contender }) => contender);
  };
  assert.deepEqual(names(both), [...ours, `dense ONNX Runtime ${peer}`, ...predicts]);
  assert.deepEqual(names(alone), [ours[1], `dynamic ONNX Runtime ${peer}`, predicts[1]]);
});

test('Ctrl-C ends a benchmark with 130, and leaves no file', async (t) => {
  const models = await tinyModels(t);
  const json = join(models, 'x.json');
  const args = ['bench', join(models, 'dense'), '--seconds', '60', '--json', json];
  const { exitCode, stderr } = await runFtwt(args, interruptAt('Timing batch 1 '));
  assert.equal(exitCode, 130, stderr);
  assert.match(stderr, /\nStopping after this step; Ctrl-C again quits at once\.\nStopped\.\n$/);
  assert.deepEqual((await readdir(models)).sort(), ['dense', 'dynamic']);
});

test('bad input ends with what was expected', async (t) => {
  const models = await tinyModels(t);
  const [dense, dynamic] = ['dense', 'dynamic'].map((name) => join(models, name));
  const cases: [string[], number, RegExp][] = [
    [[join(models, 'none')], 1, /none cannot be read: ENOENT[^\n]* \[CORRUPT_FILE\]\n$/],
    [[dense, '--dense', dense], 2, /is dense: --dense is for dynamic networks/],
    [[dynamic, '--dense', dynamic], 1, /must be a dense network from .*, got a dynamic one/],
    [[dense, '--batch', '1,0'], 2, /Expected whole numbers above 0 with commas/],
    [[dense, '--batch', '4,4'], 2, /Expected whole numbers above 0 with commas/],
    [[dense, '--seconds', '0'], 2, /Expected a number above 0/],
    [[dense, '--json', models], 1, /--json: \S+ must be a file .*: it is a folder/],
  ];
  const outcomes = await Promise.all(cases.map(([args]) => runFtwt(['bench', ...args])));
  for (const [i, [args, code, message]] of cases.entries()) {
    assert.equal(outcomes[i].exitCode, code, args.join(' '));
    assert.match(outcomes[i].stderr, message);
    assert.equal(outcomes[i].stdout, '');
  }
});
