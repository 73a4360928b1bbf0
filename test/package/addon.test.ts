import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { deviceInfo } from '../../src/index.js';

const entry = resolve(__dirname, '../../src/index.js');

/** Imports the package in a new process with these settings and prints what `body` gives. */
function run(environment: NodeJS.ProcessEnv, body = 'ftwt.deviceInfo()') {
  const code = `const ftwt = require(${JSON.stringify(entry)}); console.log(JSON.stringify(${body}));`;
  return spawnSync(process.execPath, ['-e', code], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
}

test('deviceInfo describes the processor and either lists GPUs or says why there are none', () => {
  const { instructionSet, instructionSets, threads, cuda } = deviceInfo();
  assert.ok(instructionSets.includes('baseline') && instructionSets.includes(instructionSet));
  assert.ok(Number.isInteger(threads) && threads >= 1);
  assert.equal(typeof cuda.built, 'boolean');
  if (cuda.devices.length === 0) assert.match(cuda.reason, /\w+ \w+/);
  else assert.equal(cuda.reason, '');
  for (const device of cuda.devices) {
    assert.match(device.computeCapability, /^\d+\.\d+$/);
    assert.ok(device.memoryBytes > 0 && device.multiprocessors > 0 && device.name !== '');
  }
});

test('with all GPUs hidden the addon loads, reports none and says why', () => {
  const { status, stdout, stderr } = run({ CUDA_VISIBLE_DEVICES: '' });
  assert.equal(status, 0, stderr);
  const { cuda } = JSON.parse(stdout);
  assert.deepEqual(cuda.devices, []);
  assert.notEqual(cuda.reason, '');
});

test('FTWT_THREADS sets the number of threads, and a wrong one is refused', () => {
  assert.equal(JSON.parse(run({ FTWT_THREADS: '3' }).stdout).threads, 3);
  for (const threads of ['0', 'two', '1.5', '5000']) {
    const { status, stderr } = run({ FTWT_THREADS: threads });
    assert.notEqual(status, 0);
    assert.match(stderr, /FTWT_THREADS must be an integer from 1 to 1024, got "/);
  }
});

test('an addon that cannot be loaded gives the remedies', () => {
  const { status, stderr } = run({ TFJS_FTWT_PREBUILD: '/nowhere' });
  assert.notEqual(status, 0);
  assert.match(stderr, /FtwtError: The native addon of tfjs-ftwt could not be loaded/);
  assert.match(stderr, /Remedies: reinstall with install scripts enabled/);
});
