import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { saveModel, vggSmall } from '../../src/index.js';
import { interruptAt, runFtwt, temporaryFolder } from './runFtwt.js';

const small = ['--data', 'synthetic', '--limit', '48', '--batch-size', '16', '--threads', '1'];

async function tinyModel(folder: string): Promise<string> {
  const model = vggSmall({ inputShape: [28, 28, 1], widths: [4, 'M', 8], seed: 1 });
  await saveModel(model, folder);
  model.dispose();
  return folder;
}

test('train goes from a saved model to a dense and then to a dynamic one', async (t) => {
  const folder = await temporaryFolder(t);
  const start = await tinyModel(join(folder, 'start'));
  const dense = join(folder, 'dense');
  const common = [...small, '--epochs', '1', '--schedule', 'one-cycle'];
  const first = await runFtwt(['train', '--from', start, '--out', dense, ...common]);
  assert.equal(first.exitCode, 0, first.stderr);
  assert.match(first.stdout, /^Saved in .*; test accuracy [\d.]+ %$/m);
  assert.equal(JSON.parse(await readFile(join(dense, 'history.json'), 'utf8')).epochs.length, 1);
  assert.ok(!existsSync(join(dense, 'checkpoints')));

  const dynamic = join(folder, 'dynamic');
  const second = await runFtwt([
    'train',
    '--from',
    dense,
    '--reduction',
    '0.3',
    '--out',
    dynamic,
    ...common,
  ]);
  assert.equal(second.exitCode, 0, second.stderr);
  assert.match(second.stderr, /^Mass 0\.\d+: estimated FLOPs reduction 3\d\.\d/m);
  const { layers } = JSON.parse(await readFile(join(dynamic, 'history.json'), 'utf8')).epochs[0];
  assert.deepEqual(
    layers.map(({ name }: { name: string }) => name),
    ['conv1', 'conv2'],
  );

  const taken = await runFtwt(['train', '--from', dense, '--out', dynamic, ...common]);
  assert.equal(taken.exitCode, 1);
  assert.match(taken.stderr, /is there already: --resume .* --force starts over/);
});

test('Ctrl-C leaves checkpoints that --resume takes up', async (t) => {
  const folder = await temporaryFolder(t);
  const start = await tinyModel(join(folder, 'start'));
  const out = join(folder, 'out');
  const args = ['train', '--from', start, '--out', out, ...small, '--epochs', '3'];
  const stopped = await runFtwt(args, interruptAt('epoch 1:'));
  assert.equal(stopped.exitCode, 130, stopped.stderr);
  assert.match(stopped.stderr, /To go on:\n {2}ftwt train .* --resume\n$/);
  const resumed = await runFtwt([...args, '--resume']);
  assert.equal(resumed.exitCode, 0, resumed.stderr);
  const history = await readFile(join(out, 'history.json'), 'utf8');
  assert.equal(JSON.parse(history).epochs.length, 3);

  const again = await runFtwt([...args, '--resume']);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.match(again.stdout, /is finished already/);
  assert.equal(await readFile(join(out, 'history.json'), 'utf8'), history);
});

test('a place that cannot be written is refused before any work', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'file');
  await writeFile(file, 'precious');
  // Without data: a refusal after loading them would be another.
  const args = ['train', '--model', 'vgg-small', '--data', `cifar10:${folder}/none`];
  for (const out of [file, join(file, 'deep', 'er')]) {
    const { exitCode, stdout, stderr } = await runFtwt([...args, '--out', out]);
    assert.equal(exitCode, 1);
    assert.equal(
      stderr.replace(/(EEXIST|ENOTDIR): .*(?= \[)/, 'REASON'),
      `error: --out: ${out} must be a folder that can be written to: REASON [INVALID_ARGUMENT]\n`,
    );
    assert.equal(stdout, '');
  }
  assert.deepEqual(await readdir(folder), ['file']);
  assert.equal(await readFile(file, 'utf8'), 'precious');
});

test('settings out of range end with 2 and the range, before data are loaded', async (t) => {
  const out = join(await temporaryFolder(t), 'out');
  const args = ['train', '--model', 'vgg-small', '--out', out, '--data', `cifar10:${out}/none`];
  const cases: [string[], string][] = [
    [['--epochs', '1.5'], 'Expected an integer >= 1.'],
    [['--batch-size', '0'], 'Expected an integer >= 1.'],
    [['--lr', 'NaN'], 'Expected a finite number >= 0.'],
    [['--predictor-lr', 'Infinity'], 'Expected a finite number >= 0.'],
    [['--momentum', '1'], 'Expected a number in [0, 1).'],
    [['--label-smoothing', '1'], 'Expected a number in [0, 1).'],
    [['--weight-decay', '-1'], 'Expected a finite number >= 0.'],
    [['--cooldown', ''], 'Expected a number from 0 to 1.'],
    [['--evaluate-every', '-1'], 'Expected an integer >= 0.'],
    [['--epochs', '2', '--warmup', '2'], '0 <= warmupEpochs < epochs expected, got'],
  ];
  for (const [settings, message] of cases) {
    const { exitCode, stderr } = await runFtwt([...args, ...settings]);
    assert.equal(exitCode, 2, `${settings.join(' ')}: ${stderr}`);
    assert.ok(stderr.includes(message), stderr);
  }
  assert.ok(!existsSync(out));
});

test('contradicting options end with 2', async (t) => {
  const out = join(await temporaryFolder(t), 'out');
  const cases: [string[], RegExp][] = [
    [['train', '--out', out, ...small], /give either --model .* or --from/],
    [['train', '--model', 'alexnet', '--out', out, ...small], /Allowed choices are vgg16/],
    [['train', '--model', 'vgg-small', '--out', out], /required option '--data <set>'/],
    [
      [
        'train',
        '--model',
        'vgg-small',
        '--out',
        out,
        ...small,
        '--mass',
        '0.9',
        '--keep-ratio',
        '1',
      ],
      /only one of --mass, --keep-ratio, --reduction/,
    ],
    [
      ['train', '--model', 'vgg-small', '--out', out, ...small, '--schedule', 'step'],
      /--schedule step needs --milestones/,
    ],
    [['estimate', out, '--data', 'synthetic'], /give one of --mass/],
    [['estimate', out, '--data', 'synthetic', '--mass', '1.5'], /above 0 and up to 1/],
    [['demo', '--mass', '0.9', '--reduction', '0.5', '--out', out], /either --mass or --reduction/],
    [['demo', '--name', '../x', '--out', out], /letters, digits/],
  ];
  for (const [args, message] of cases) {
    const { exitCode, stderr } = await runFtwt(args);
    assert.equal(exitCode, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, message);
  }
  assert.ok(!existsSync(out));
});
