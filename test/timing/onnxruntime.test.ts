import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadOnnxRuntime } from '../../src/timing/onnxruntime.js';
import { installFakeOnnxRuntime } from '../cli/fakeOnnxRuntime.js';
import { temporaryFolder } from '../cli/runFtwt.js';

test('the first folder that has onnxruntime-node is taken', async (t) => {
  const folder = await temporaryFolder(t);
  const [none, first, second] = ['none', 'first', 'second'].map((name) => join(folder, name));
  await installFakeOnnxRuntime(first, { version: '1.1.1' });
  await installFakeOnnxRuntime(second, { version: '2.2.2' });
  assert.equal(loadOnnxRuntime([none, first, second]).version, '1.1.1');
  assert.equal(loadOnnxRuntime([second, first]).version, '2.2.2');
});

test('without it, the error says how to get it, or why it does not load', async (t) => {
  const folder = await temporaryFolder(t);
  assert.throws(() => loadOnnxRuntime([folder]), {
    ...{ name: 'FtwtError', code: 'NOT_FOUND' },
    message:
      'onnxruntime-node is not installed: npm install --no-save --ignore-scripts onnxruntime-node',
  });
  await installFakeOnnxRuntime(folder, { version: '1.1.1', broken: true });
  assert.throws(() => loadOnnxRuntime([folder]), {
    ...{ name: 'FtwtError', code: 'NOT_FOUND' },
    message: 'onnxruntime-node 1.1.1 does not load: no library for this machine',
  });
});
