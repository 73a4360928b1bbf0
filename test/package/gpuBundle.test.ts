/** The folder for GPU hosts (scripts/gpu-bundle.mjs): which files it takes, and that they are enough. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from '../temporaryFolder.js';

const root = resolve(__dirname, '../../..');
const scripts = join(root, 'scripts', 'gpu');
const load = (path: string) => import(pathToFileURL(join(scripts, path)).href);

async function bundledFiles(): Promise<Map<string, string>> {
  return (await load('files.mjs')).bundledFiles(root);
}

test('the bundle takes what runs, and nothing that only builds, types or debugs', async () => {
  const files = await bundledFiles();
  for (const path of [
    'package.json',
    'build/Release/ftwt.node',
    'build/Release/emulator/ftwt.node',
    'dist/src/cli/main.js',
    'dist/test/everyOp.js',
    'dist/bench/device.js',
    'bench/peers/torch_dense.py',
    'scripts/gpu/host/main.mjs',
    'node_modules/@tensorflow/tfjs/dist/tf.node.js',
    'node_modules/@img/sharp-linux-x64/package.json',
  ]) {
    assert.ok(files.has(`app/${path}`), path);
  }
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const unwanted = [...Object.keys(devDependencies), 'cmake-js', 'node-addon-api']
    .filter((name) => name !== '@tensorflow/tfjs')
    .map((name) => `app/node_modules/${name}/`);
  const wrong = [...files.keys()].filter(
    (path) =>
      /\.(map|[cm]?ts|tsbuildinfo)$|\.es2017\.|\.fesm\.|\.min\.js$/.test(path) ||
      unwanted.some((folder) => path.startsWith(folder)),
  );
  assert.deepEqual(wrong, []);
});

test('its files are enough for the command, the benchmark and the tests, away from the clone', async () => {
  const folder = temporaryFolder();
  let bytes = 0;
  for (const [path, from] of await bundledFiles()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(from, join(folder, path));
    bytes += statSync(from).size;
  }
  assert.ok(bytes < 80 * 2 ** 20, `${bytes} bytes before compression`);
  const app = join(folder, 'app');
  const environment: NodeJS.ProcessEnv = { ...process.env, FTWT_TEST_DEVICE: 'native' };
  delete environment.TFJS_FTWT_PREBUILD;
  delete environment.NODE_TEST_CONTEXT; // a runner inside a runner is ignored otherwise
  for (const parameters of [
    ['dist/src/cli/main.js', 'info', '--json'],
    ['dist/bench/main.js', 'device', '--help'],
    ['--test', 'dist/test/ops/massMask.test.js'],
    ['-e', 'require("./dist/src/report/index.js"), require("sharp"), require("echarts")'],
  ]) {
    const { status, stderr, stdout } = spawnSync(process.execPath, parameters, {
      cwd: app,
      env: environment,
      encoding: 'utf8',
    });
    assert.equal(status, 0, `${parameters.join(' ')}\n${stdout}\n${stderr}`);
  }
});

test('an archive unpacks to the same files, or leaves nothing', async (t) => {
  const { compress, pack } = await load('pack.mjs');
  const folder = temporaryFolder();
  const xz = spawnSync('bash', ['-c', 'command -v xz'], { encoding: 'utf8' }).stdout.trim();
  if (xz === '') return t.skip('no xz');
  copyFileSync(xz, join(folder, 'xz'));
  cpSync(join(scripts, 'unpack.mjs'), join(folder, 'unpack.mjs'));
  const contents = new Map<string, string | Buffer>([
    ['run.sh', join(scripts, 'run.sh')],
    ['deep/er/bytes', Buffer.from([0, 10, 255])],
    ['empty', Buffer.alloc(0)],
  ]);
  const archive = join(folder, 'a.xz');
  writeFileSync(archive, compress(pack(contents), join(folder, 'cache')));
  const { unpack } = await import(pathToFileURL(join(folder, 'unpack.mjs')).href);
  unpack(archive, join(folder, 'out'));
  assert.deepEqual(readFileSync(join(folder, 'out/run.sh')), readFileSync(join(scripts, 'run.sh')));
  assert.deepEqual([...readFileSync(join(folder, 'out/deep/er/bytes'))], [0, 10, 255]);
  assert.equal(statSync(join(folder, 'out/empty')).size, 0);
  writeFileSync(archive, readFileSync(archive).subarray(0, 100));
  assert.throws(() => unpack(archive, join(folder, 'half')), /a\.xz does not decompress: /);
  assert.throws(() => statSync(join(folder, 'half')), { code: 'ENOENT' });
});

test('a sanitizer is clean only if it watched all of a run that succeeded', async () => {
  const { judge } = await load('host/sanitize.mjs');
  const all = 'every op ran: 32 ops, 1264 calls\n========= ERROR SUMMARY: 0 errors\n';
  assert.deepEqual(judge({ status: 0, signal: null, text: all }), {
    clean: true,
    verdict: 'clean',
  });
  const verdicts = [
    { status: 86, signal: null, text: all },
    { status: 0, signal: null, text: 'every op ran: 32 ops, 1264 calls' },
    { status: 0, signal: null, text: '========= ERROR SUMMARY: 0 errors' },
    { status: null, signal: 'SIGSEGV', text: '' },
  ].map((run) => judge(run));
  assert.ok(verdicts.every(({ clean }) => !clean));
  assert.deepEqual(
    verdicts.map(({ verdict }) => verdict),
    [
      'FINDINGS',
      'FAILED (no summary)',
      'FAILED (not all ops ran)',
      'FAILED (SIGSEGV, not all ops ran, no summary)',
    ],
  );
});
