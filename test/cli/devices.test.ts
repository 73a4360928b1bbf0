import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceInfo } from '../../src/index.js';
import { runFtwt } from './runFtwt.js';

process.env.FTWT_EMULATOR_DEVICES = '2'; // of the commands below
delete process.env.FTWT_DEVICE;

test('devices names what --device takes, or says why there is no GPU', async () => {
  const { exitCode, stdout, stderr } = await runFtwt(['devices']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^emulator:0 +CUDA emulator +9\.0/m);
  assert.match(stdout, /^emulator:1 /m);
  if (deviceInfo().cuda.devices.length === 0) assert.match(stdout, /^No GPU: .+/m);
  const { cuda, emulator } = JSON.parse((await runFtwt(['devices', '--json'])).stdout);
  assert.equal(emulator.devices.length, 2);
  assert.equal(typeof cuda.built, 'boolean');
});

test('a command computes on the device that is named', async () => {
  const backendOf = ({ stdout }: { stdout: string }) => JSON.parse(stdout).machine.backend;
  const second = await runFtwt(['info', '--json', '--device', 'emulator:1']);
  assert.equal(second.exitCode, 0, second.stderr);
  assert.equal(backendOf(second), 'emulator');
  process.env.FTWT_DEVICE = 'emulator';
  assert.equal(backendOf(await runFtwt(['info', '--json'])), 'emulator');
  delete process.env.FTWT_DEVICE;
  const third = await runFtwt(['info', '--device', 'emulator:2']);
  assert.equal(third.exitCode, 1);
  assert.match(third.stderr, /device from 0 to 1, got 2 \[NO_DEVICE\]/);
});

test('precision is for GPUs', async () => {
  const { exitCode, stderr } = await runFtwt(['info', '--precision', 'tf32']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /expected the backend cuda, got native/);
  const tf32 = await runFtwt(['info', '--precision', 'tf32', '--device', 'emulator']);
  assert.equal(tf32.exitCode, 0, tf32.stderr);
});
