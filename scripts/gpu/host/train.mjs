// `ftwt demo` on the bundled data: Fashion-MNIST unless --data says otherwise.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export async function run(context) {
  const { app, device, out, rest, node, requireDevice } = context;
  if (!rest.includes('--help')) requireDevice();
  const { parameters, cache } = rest.includes('--help')
    ? { parameters: rest, cache: '' }
    : await withData(context);
  return node(
    [join(app, 'dist/src/cli/main.js'), 'demo', '--device', device, '--out', out, ...parameters],
    { environment: cache === '' ? {} : { FTWT_CACHE: cache } },
  );
}

/** The demo's arguments, with the bundled CIFAR-10 in the place of `--data cifar10`, and the folder of the data. */
async function withData({ bundle, unpacked, rest }) {
  const at = rest.indexOf('--data');
  const wanted = at < 0 ? 'fashion-mnist' : rest[at + 1];
  if (wanted !== 'fashion-mnist' && wanted !== 'cifar10') return { parameters: rest, cache: '' };
  const cache = join(unpacked, 'data');
  const archive = join(bundle, 'data.xz');
  if (!existsSync(cache) && existsSync(archive)) {
    console.error('run.sh: unpacking the data, once');
    const { unpack } = await import(join(bundle, 'unpack.mjs'));
    unpack(archive, cache);
  }
  const folder = join(cache, wanted);
  if (!existsSync(folder)) {
    const option = wanted === 'cifar10' ? '--cifar10 DIR' : '--fashion-mnist';
    throw new Error(
      `${wanted} is not in this bundle: make it with ${option}, or try --data synthetic`,
    );
  }
  if (wanted === 'fashion-mnist') return { parameters: rest, cache };
  const form = existsSync(join(folder, 'train')) ? 'folder' : 'cifar10';
  const parameters = rest.with(at + 1, `${form}:${folder}`);
  return { parameters, cache };
}
