// What --device can name here.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export function run({ app, node, save }) {
  const program = join(app, 'dist/src/cli/main.js');
  const { stdout } = spawnSync(process.execPath, [program, 'devices', '--json'], {
    encoding: 'utf8',
  });
  const status = node([program, 'devices']);
  if (status === 0) save('devices.json', { devices: JSON.parse(stdout) });
  return status;
}
