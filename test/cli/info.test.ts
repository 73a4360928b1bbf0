import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { saveModel, vggSmall } from '../../src/index.js';
import { runFtwt, temporaryFolder } from './runFtwt.js';

test('info names what the package runs on', async () => {
  const plain = await runFtwt(['info', '--threads', '1']);
  assert.equal(plain.exitCode, 0, plain.stderr);
  assert.match(plain.stdout, /^threads +1$/m);
  assert.match(plain.stdout, /^instruction set +\w+/m);
  const json = JSON.parse((await runFtwt(['info', '--json'])).stdout);
  assert.match(json.version, /^\d+\.\d+\.\d+/);
  assert.ok(json.instructionSets.includes(json.machine.instructionSet));
});

test('info with a model counts its layers', async (t) => {
  const folder = join(await temporaryFolder(t), 'model');
  const model = vggSmall({ inputShape: [8, 8, 1], classes: 3, widths: [4, 'M', 8] });
  await saveModel(model, folder);
  model.dispose();
  const plain = await runFtwt(['info', folder]);
  assert.equal(plain.exitCode, 0, plain.stderr);
  assert.match(plain.stdout, /^conv1 .* 2,304 /m);
  const json = JSON.parse((await runFtwt(['info', folder, '--json'])).stdout);
  assert.deepEqual(json.inputShape, [8, 8, 1]);
  assert.equal(json.layers[0].macs, 2304);
});
