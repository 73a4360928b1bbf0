/** The commands that read a saved model. */
import assert from 'node:assert/strict';
import { readdir, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { saveModel, vggSmall } from '../../src/index.js';
import { noteNormalisation } from '../../src/train/normalisation.js';
import { interruptAt, runFtwt, temporaryFolder } from './runFtwt.js';

async function savedModel(t: TestContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'model');
  const model = vggSmall({ inputShape: [28, 28, 1], widths: [16, 'M', 16], seed: 1 });
  noteNormalisation(model, { mean: [0.5], std: [0.5] });
  await saveModel(model, folder);
  model.dispose();
  return folder;
}

test('Ctrl-C ends an evaluation with 130 and without results', async (t) => {
  const folder = await savedModel(t);
  // tfjs's own kernels take seconds for what is left after the first batch.
  const args = ['evaluate', folder, '--data', 'synthetic', '--split', 'train', '--device', 'cpu'];
  const { exitCode, stdout, stderr } = await runFtwt(args, interruptAt('Evaluating'));
  assert.equal(exitCode, 130, stderr);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /^Evaluating on 1,000 images\n\nStopping after this step; Ctrl-C again quits at once\.\nStopped\.\n$/m,
  );
  assert.deepEqual((await readdir(folder)).sort(), ['model.json', 'weights.bin']);
});

test('a damaged model ends every command with 1 and one line that names the file', async (t) => {
  const folder = await savedModel(t);
  const damages: [() => Promise<void>, RegExp][] = [
    [
      () => truncate(join(folder, 'weights.bin'), 21),
      /^error: \S+model\/weights\.bin is damaged: expected \d{4,} bytes, got 21 \[CORRUPT_FILE\]\n$/,
    ],
    [
      () => truncate(join(folder, 'model.json'), 30),
      /^error: \S+model\/model\.json is damaged: expected JSON, got 30 bytes [^\n]* \[CORRUPT_FILE\]\n$/,
    ],
    [
      () => rename(folder, `${folder}.away`),
      /^error: \S+model cannot be read: ENOENT[^\n]* \[CORRUPT_FILE\]\n$/,
    ],
  ];
  // Without data: the model comes first.
  const data = ['--data', `cifar10:${folder}/none`];
  for (const [damage, message] of damages) {
    await damage();
    const outcomes = await Promise.all([
      runFtwt(['info', folder]),
      runFtwt(['evaluate', folder, ...data]),
      runFtwt(['estimate', folder, ...data, '--mass', '0.9']),
    ]);
    for (const { exitCode, stdout, stderr } of outcomes) {
      assert.equal(exitCode, 1);
      assert.match(stderr, message);
      assert.equal(stdout, '');
    }
  }
});
