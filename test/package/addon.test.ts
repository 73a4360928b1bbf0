import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { binding } from '../../src/binding.js';
import { deviceInfo } from '../../src/index.js';
import { invalid } from '../ops/opsHelpers.js';

const entry = resolve(__dirname, '../../src/index.js');
const bindingModule = resolve(__dirname, '../../src/binding.js');

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

test(
  'threads that the system refuses are an error, and ops go on with the others',
  { skip: process.platform !== 'linux' || process.env.FTWT_TEST_SANITIZED !== undefined },
  (t) => {
    // Address space for some stacks more, but not for a thousand.
    const script = `
      const { execFileSync } = require('node:child_process');
      const { readFileSync } = require('node:fs');
      const { binding } = require(${JSON.stringify(bindingModule)});
      const kilobytes = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
      try {
        execFileSync('prlimit', ['--pid', process.pid, '--as=' + (kilobytes + 400e3) * 1024]);
      } catch {
        process.exit(9);
      }
      let code = 'none';
      try { binding.setThreads(1024); } catch (error) { code = error.code; }
      const count = 1 << 20;
      const y = new Float32Array(count);
      binding.unary({ op: 0, x: y.slice().fill(2), y, count, alpha: 0, beta: 0 });
      console.log(code, binding.info().threads < 1024, y.every((value) => value === 2));`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (status === 9) return t.skip('no prlimit');
    assert.equal(stdout.trim(), 'INTERNAL true true', stderr);
  },
);

test('sizes whose product is no length of an array are refused', () => {
  const none = new Float32Array(0);
  const one = new Float32Array(1);
  const half = 2 ** 32; // its square is 0 in 64 bits
  const most = 2 ** 31 - 1;
  const noActivation = { activation: 0, transposeA: false, transposeB: false };
  const batches = { batch: 1, aBatch: 1, bBatch: 1 };
  const calls: (() => void)[] = [
    () => binding.softmax({ x: none, y: none, rows: half, cols: half }),
    () =>
      binding.matmul({
        ...{ ...noActivation, ...batches, m: half, k: half, n: 0 },
        ...{ a: none, b: none, y: none },
      }),
    // Empty, but one image of it is too large.
    () => binding.channelSaliency({ x: none, saliency: none, n: 0, pixels: half, c: half }),
    // Every element is the first one.
    () => binding.copy(nest([most, most, most], 0)),
    () => binding.copy(nest([most], most)),
  ];
  function nest(sizes: number[], stride: number) {
    const dims = Int32Array.from(sizes.flatMap((size) => [size, stride, 0]));
    return { rank: sizes.length, dims, x: one, y: one, xOffset: 0, yOffset: 0 };
  }
  for (const call of calls) invalid(call, 'sizes are too large');
});

test('a block that is too large for an array is an error, and freed once', async () => {
  const { liveBlocks } = binding.info();
  for (let i = 0; i < 3; i++) {
    assert.throws(() => binding.allocate(constants.MAX_LENGTH + 4096), { name: 'FtwtError' });
  }
  assert.equal(binding.info().liveBlocks, liveBlocks);
  await setImmediate(); // finalizers
  globalThis.gc!();
  await setImmediate();
  assert.equal(binding.info().liveBlocks, liveBlocks);
  for (const bytes of [0, -1, NaN, Infinity, 2 ** 53, '8', undefined]) {
    invalid(() => binding.allocate(bytes as number), 'expected a positive number of bytes');
  }
});
