/** The CUDA emulator's own tests (native/emulator/tests), under every order in which it can run threads. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import nodeGypBuild from 'node-gyp-build';

// Built beside the addon, also where TFJS_FTWT_PREBUILD names another build.
const addon = nodeGypBuild.path(resolve(__dirname, '../../..'));
const program = join(dirname(addon), 'emulator-tests');

function run(schedule: string, filter = '') {
  return spawnSync(program, [filter], {
    encoding: 'utf8',
    env: { ...process.env, FTWT_EMULATOR_SCHEDULE: schedule, FTWT_EMULATOR_DEVICES: '2' },
  });
}

for (const schedule of ['forward', 'reverse', 'random:1', 'random:2', 'depth']) {
  test(`the emulator keeps CUDA's rules with threads in the order ${schedule}`, (t) => {
    if (!existsSync(program)) return t.skip(`${program} was not built`);
    const { status, stdout, stderr } = run(schedule);
    const lines = stdout.split('\n');
    const failed = lines.filter((line) => line.startsWith('not ok '));
    assert.deepEqual(failed, []);
    assert.equal(status, 0, stderr);
    assert.ok(lines.some((line) => line.startsWith('ok ')));
  });
}

test('a wrong schedule is refused', (t) => {
  if (!existsSync(program)) return t.skip(`${program} was not built`);
  const { status, stdout } = run('sideways', 'barriers_in_a_loop');
  assert.notEqual(status, 0);
  assert.match(stdout, /SCHEDULE must be forward, reverse, random\[:seed\] or depth, got sideways/);
});
