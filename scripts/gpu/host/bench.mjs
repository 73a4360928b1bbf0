// The device benchmark, with its Python peer where this machine has PyTorch.
import { join } from 'node:path';

export function run({ app, device, out, rest, node, requireDevice }) {
  if (!rest.includes('--help')) requireDevice();
  return node([
    join(app, 'dist/bench/main.js'),
    'device',
    '--device',
    device,
    '--out',
    out,
    ...rest,
  ]);
}
