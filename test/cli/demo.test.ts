import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunReport } from '../../src/report/index.js';
import { installFakeOnnxRuntime } from './fakeOnnxRuntime.js';
import { interruptAt, runFtwt, temporaryFolder } from './runFtwt.js';

const small = [
  ...['--data', 'synthetic', '--limit', '64', '--batch-size', '16', '--threads', '1'],
  ...['--speed-seconds', '0'],
];

async function reportOf(folder: string): Promise<RunReport> {
  return JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'));
}

test('demo leaves a report and both models, which the other commands read', async (t) => {
  const out = await temporaryFolder(t);
  const folder = join(out, 'tiny');
  const args = ['demo', '--name', 'tiny', '--out', out, ...small, '--epochs', '1'];
  const { exitCode, stdout, stderr } = await runFtwt([...args, '--dynamic-epochs', '1']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^dense accuracy +[\d.]+ %$/m);
  assert.deepEqual((await readdir(folder)).sort(), [
    'dense',
    'dynamic',
    'report.html',
    'report.json',
    'run.json',
  ]);

  const report = await reportOf(folder);
  for (const value of [
    report.dense.accuracy,
    report.dense.macs,
    report.dynamic.accuracy,
    report.dynamic.mass,
    report.dynamic.macsReduction.published,
    report.dynamic.macsReduction.skippable,
    report.estimated.macsReduction.published,
    report.estimated.macsReduction.skippable,
    report.seconds.total,
  ]) {
    assert.ok(Number.isFinite(value));
  }
  assert.ok(report.estimated.macsReduction.skippable >= 0.5);
  assert.equal(report.speed, null);
  assert.equal(report.machine.threads, 1);
  assert.ok(report.commit === null || /^[0-9a-f]{40}$/.test(report.commit));
  assert.equal(report.data.trainCount, 64);
  assert.equal(report.firing.length, report.layers.length);
  assert.equal(report.firing[0].rates.length, 10);
  assert.equal(report.firing[0].rates[0].length, report.layers[0].channels);
  const { cheapest, costliest } = report.samples;
  assert.equal(cheapest.length, costliest.length);
  assert.ok(cheapest[0].macs <= costliest[0].macs);
  assert.doesNotMatch(
    await readFile(join(folder, 'report.html'), 'utf8'),
    /https?:\/\/(?!www\.w3)/,
  );

  const evaluation = await runFtwt([
    'evaluate',
    join(folder, 'dynamic'),
    '--data',
    'synthetic',
    '--limit',
    '64',
    '--json',
  ]);
  assert.equal(evaluation.exitCode, 0, evaluation.stderr);
  const { accuracy, macsReduction } = JSON.parse(evaluation.stdout);
  assert.equal(accuracy, report.dynamic.accuracy);
  assert.equal(macsReduction.skippable, report.dynamic.macsReduction.skippable);

  const estimate = await runFtwt([
    'estimate',
    join(folder, 'dense'),
    '--data',
    'synthetic',
    '--mass',
    '0.9',
  ]);
  assert.equal(estimate.exitCode, 0, estimate.stderr);
  assert.match(estimate.stdout, /^conv1 .* %$/m);

  const info = await runFtwt(['info', join(folder, 'dynamic')]);
  assert.match(info.stdout, /^total /m);

  const again = await runFtwt([...args, '--resume']);
  assert.equal(again.exitCode, 0);
  assert.match(again.stdout, /is finished already/);
});

test('Ctrl-C keeps what is done, and --resume goes on to the same result', async (t) => {
  const out = await temporaryFolder(t);
  const args = ['demo', '--out', out, ...small, '--epochs', '2', '--dynamic-epochs', '1'];
  const whole = await runFtwt([...args, '--name', 'whole']);
  assert.equal(whole.exitCode, 0, whole.stderr);

  const stopped = await runFtwt([...args, '--name', 'stopped'], interruptAt('epoch 1:'));
  assert.equal(stopped.exitCode, 130, stopped.stderr);
  assert.match(stopped.stderr, /To go on:\n {2}ftwt demo .*--name stopped --resume\n$/);
  const folder = join(out, 'stopped');
  assert.ok(!existsSync(join(folder, 'report.json')));

  const inTheWay = await runFtwt([...args, '--name', 'stopped']);
  assert.equal(inTheWay.exitCode, 1);
  assert.match(inTheWay.stderr, /unfinished run: --resume goes on with it, --force starts over/);
  const other = await runFtwt([
    'demo',
    '--out',
    out,
    '--name',
    'stopped',
    '--resume',
    '--seed',
    '5',
  ]);
  assert.equal(other.exitCode, 2);
  assert.match(other.stderr, /the stopped run has --seed 1, got 5/);

  const resumed = await runFtwt([
    'demo',
    '--out',
    out,
    '--name',
    'stopped',
    '--threads',
    '1',
    '--resume',
  ]);
  assert.equal(resumed.exitCode, 0, resumed.stderr);
  const [expected, actual] = [await reportOf(join(out, 'whole')), await reportOf(folder)];
  assert.equal(actual.dense.loss, expected.dense.loss);
  assert.equal(actual.dynamic.loss, expected.dynamic.loss);
  assert.equal(actual.dynamic.mass, expected.dynamic.mass);
  assert.equal(actual.dense.history.length, 2);
});

test('demo times both networks, and tells why ONNX Runtime is not among them', async (t) => {
  const out = await temporaryFolder(t);
  await installFakeOnnxRuntime(out, { version: '1.1.1', broken: true });
  const args = ['demo', '--out', out, ...small, '--epochs', '1', '--dynamic-epochs', '1'];
  const outcome = await runFtwt([...args, '--speed-seconds', '0.02'], undefined, out);
  assert.equal(outcome.exitCode, 0, outcome.stderr);
  assert.match(
    outcome.stdout,
    /^images\/s, batch 32 +dense session [\d.,]+, dynamic session [\d.,]+$/m,
  );
  const folder = join(out, 'demo');
  const { speed } = await reportOf(folder);
  const contenders = ['dense session', 'dynamic session'];
  assert.deepEqual(speed!.contenders, [...contenders, 'dense ONNX Runtime']);
  assert.deepEqual(
    speed!.rows.map(({ contender, batch }) => [contender, batch]),
    [1, 32].flatMap((batch) => contenders.map((contender) => [contender, batch])),
  );
  for (const { runs, error, imagesPerSecond, macsShare } of speed!.rows) {
    assert.ok(runs >= 1 && error < 1e-4 && macsShare! > 0);
    const { p10, median, p90 } = imagesPerSecond;
    assert.ok(0 < p10 && p10 <= median && median <= p90);
  }
  assert.deepEqual(speed!.failures, []);
  assert.match(speed!.remark!, /^onnxruntime-node 1\.1\.1 does not load: no library/);
  const html = await readFile(join(folder, 'report.html'), 'utf8');
  assert.match(html, /<h2>Images per second<\/h2>/);
  assert.match(html, /does not load: no library for this machine<\/p>/);
});

test('a folder that cannot be written, or is not a run, is refused before any work', async (t) => {
  const out = await temporaryFolder(t);
  await writeFile(join(out, 'file'), '');
  const blocked = await runFtwt(['demo', '--out', join(out, 'file'), ...small]);
  assert.equal(blocked.exitCode, 1);
  assert.match(blocked.stderr, /^error: [^\n]*file[^\n]* \[INVALID_ARGUMENT\]\n$/);

  await mkdir(join(out, 'mine'));
  await writeFile(join(out, 'mine', 'thesis.tex'), 'precious');
  const foreign = await runFtwt(['demo', '--out', out, '--name', 'mine', ...small, '--force']);
  assert.equal(foreign.exitCode, 1);
  assert.match(foreign.stderr, /thesis\.tex/);
  assert.equal(await readFile(join(out, 'mine', 'thesis.tex'), 'utf8'), 'precious');
});

test('missing data ends with what to do about it', async (t) => {
  const out = await temporaryFolder(t);
  const { exitCode, stderr } = await runFtwt([
    'demo',
    '--out',
    out,
    '--data',
    `cifar10:${out}/none`,
  ]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: [^]*none/);
  assert.deepEqual(await readdir(join(out, 'demo')), []);
  assert.doesNotMatch(stderr, /\n {4}at /);
});

test('a damaged run.json is named, and --force starts over', async (t) => {
  const out = await temporaryFolder(t);
  const file = join(out, 'demo', 'run.json');
  await mkdir(join(out, 'demo'));
  for (const content of ['{"sett', 'null', '{"settings":null,"seconds":null}']) {
    await writeFile(file, content);
    const { exitCode, stderr } = await runFtwt(['demo', '--out', out, ...small, '--resume']);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /^error: [^\n]*run\.json is damaged[^\n]*; --force starts over \[CORRUPT_FILE\]\n$/,
    );
  }
  const forced = await runFtwt(
    ['demo', '--out', out, ...small, '--epochs', '1', '--dynamic-epochs', '1', '--force'],
    interruptAt('epoch 1:'),
  );
  assert.equal(forced.exitCode, 130, forced.stderr);
  assert.equal(JSON.parse(await readFile(file, 'utf8')).settings.batchSize, 16);
});
