// npm run gpu:bundle -- [options]: writes a folder that tests, checks and times the CUDA kernels on a machine with a GPU
// and without Node, npm, a compiler or a network. `bash run.sh help` there tells the rest.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
} from 'node:fs';
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cifar10Files, fashionMnistFiles } from './gpu/data.mjs';
import { bundledFiles } from './gpu/files.mjs';
import { compress, pack } from './gpu/pack.mjs';

const root = resolve(import.meta.dirname, '..');
const cache = join(root, 'build', 'gpu-cache');
const parts = join(root, 'scripts', 'gpu');
const usage = `usage: npm run gpu:bundle -- [options]
  --out FOLDER      default build/gpu-bundle; an earlier bundle there is replaced
  --fashion-mnist   add Fashion-MNIST from the cache
  --cifar10 DIR     add CIFAR-10: the official binary files, or images in train/<class> and test/<class>
  --allow-no-cuda   go on where the addon was built without CUDA
  --max-mib N       fail above this size (default 60)`;

function main() {
  const options = parsed();
  if (options.help) return console.log(usage);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `A bundle is for x86-64 Linux and made there; this is ${process.platform}-${process.arch}`,
    );
  }
  const out = resolve(options.out);
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, 'manifest.json'))) {
    throw new Error(`${out} is no bundle: remove it, or give another --out`);
  }
  const app = bundledFiles(root);
  checkCuda(options['allow-no-cuda']);
  const data = dataFiles(options);
  const partial = `${out}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    mkdirSync(partial, { recursive: true });
    write(partial, app, data);
    checkSize(partial, Number(options['max-mib']));
    rmSync(out, { recursive: true, force: true });
    renameSync(partial, out);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  console.log(`${out}: ${mib(sizeOf(out))} MiB\nThere: bash run.sh help`);
}

function parsed() {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: 'string', default: join(root, 'build', 'gpu-bundle') },
        'fashion-mnist': { type: 'boolean', default: false },
        cifar10: { type: 'string' },
        'allow-no-cuda': { type: 'boolean', default: false },
        'max-mib': { type: 'string', default: '60' },
        help: { type: 'boolean', default: false },
      },
    });
    if (!(Number(values['max-mib']) > 0)) {
      throw new Error(`--max-mib must be a number above 0, got ${values['max-mib']}`);
    }
    return values;
  } catch (error) {
    throw new Error(`${error.message}\n${usage}`, { cause: error });
  }
}

/** In a process of its own, as the addon stays loaded. */
function checkCuda(allowed) {
  const ask = "console.log(JSON.stringify(require('./dist/src/index.js').deviceInfo().cuda))";
  const { built } = JSON.parse(
    execFileSync(process.execPath, ['-e', ask], { cwd: root, encoding: 'utf8' }),
  );
  if (built) return;
  const problem = 'The addon in build/Release was built WITHOUT CUDA: no GPU will run its kernels.';
  if (!allowed) {
    throw new Error(
      `${problem}\nBuild with nvcc (FTWT_CUDA=ON npm run build), or go on with --allow-no-cuda`,
    );
  }
  console.warn(`\n*** ${problem} ***\n`);
}

function dataFiles(options) {
  const { cacheDirectory } = createRequire(import.meta.url)(join(root, 'dist/src/data/cache.js'));
  const folder = join(cacheDirectory(), 'fashion-mnist');
  return new Map([
    ...(options['fashion-mnist'] ? fashionMnistFiles(folder) : []),
    ...(options.cifar10 === undefined ? [] : cifar10Files(resolve(options.cifar10))),
  ]);
}

function write(folder, app, data) {
  const xz = findOnPath('xz');
  copyFileSync(xz, join(folder, 'xz'));
  mkdirSync(join(folder, 'lib'));
  for (const library of librariesOf(xz))
    copyFileSync(library, join(folder, 'lib', basename(library)));
  for (const library of librariesOf(process.execPath)) {
    const path = join(folder, 'lib', `${basename(library)}.xz`);
    writeFileSync(path, compress(readFileSync(library), cache));
  }
  const node = strippedNode();
  report(folder, 'node.xz', node);
  const archive = pack(new Map([...app].map(([path, from]) => [path.replace(/^app\//, ''), from])));
  report(folder, 'app.xz', archive);
  if (data.size > 0) report(folder, 'data.xz', pack(data));
  cpSync(join(parts, 'unpack.mjs'), join(folder, 'unpack.mjs'));
  const id = createHash('sha256').update(node).update(archive).digest('hex').slice(0, 12);
  const script = readFileSync(join(parts, 'run.sh'), 'utf8')
    .replaceAll('@ID@', id)
    .replaceAll('@GLIBC@', neededGlibc([node, archive, readFileSync(xz)]));
  writeFileSync(join(folder, 'run.sh'), script, { mode: 0o755 });
  const manifest = { id, commit: commit(), date: new Date().toISOString(), node: process.version };
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function report(folder, name, contents) {
  const compressed = compress(contents, cache);
  writeFileSync(join(folder, name), compressed);
  console.log(`${name}: ${mib(contents.length)} MiB -> ${mib(compressed.length)} MiB`);
}

/** This Node; without symbols where there is a `strip`. */
function strippedNode() {
  const work = mkdtempSync(join(tmpdir(), 'ftwt-bundle-'));
  try {
    const copy = join(work, 'node');
    const { status } = spawnSync('strip', ['-o', copy, process.execPath]);
    return readFileSync(status === 0 ? copy : process.execPath);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Shared libraries of a program, without those of glibc: these are always the host's. */
function librariesOf(program) {
  const glibc = /^(ld-linux|lib(c|m|dl|rt|pthread|resolv))\b/;
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines
    .map((line) => /=> (\/\S+)/.exec(line)?.[1])
    .filter((path) => path !== undefined && !glibc.test(basename(path)));
}

/** The highest version of glibc that any of these programs asks for. */
function neededGlibc(programs) {
  const versions = programs.flatMap((bytes) =>
    [...bytes.toString('latin1').matchAll(/GLIBC_2\.(\d+)\0/g)].map(([, minor]) => Number(minor)),
  );
  return `2.${Math.max(...versions)}`;
}

function findOnPath(name) {
  const found = (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is missing: install xz-utils`);
  return found;
}

function commit() {
  const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' and changes'}`;
  } catch {
    return 'unknown';
  }
}

function checkSize(folder, limit) {
  const bytes = sizeOf(folder);
  if (bytes <= limit * 2 ** 20) return;
  const parts = readdirSync(folder, { withFileTypes: true })
    .map(({ name }) => `  ${name.padEnd(14)} ${mib(sizeOf(join(folder, name)))} MiB`)
    .join('\n');
  throw new Error(
    `The bundle would have ${mib(bytes)} MiB, more than ${limit}:\n${parts}\nLeave data out, build for fewer GPUs (npm run build:native -- --CDCMAKE_CUDA_ARCHITECTURES=90), or give --max-mib`,
  );
}

function sizeOf(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function mib(bytes) {
  return (bytes / 2 ** 20).toFixed(1);
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
