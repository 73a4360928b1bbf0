/** The packed package, installed as a user gets it: CommonJS, ES modules and types, with a prebuilt addon. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { before, test } from 'node:test';
import nodeGypBuild from 'node-gyp-build';
import { temporaryFolder } from '../temporaryFolder.js';

const root = resolve(__dirname, '../../..');
const consumer = temporaryFolder();
const installed = join(consumer, 'node_modules/tfjs-ftwt');

/** The consumer loads the addon in its own copy of the package, not one that a setting names. */
const environment: NodeJS.ProcessEnv = { ...process.env };
delete environment.TFJS_FTWT_PREBUILD;

function run(program: string, parameters: string[], cwd = consumer): string {
  const options = { cwd, env: environment, encoding: 'utf8' as const };
  try {
    return execFileSync(program, parameters, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${parameters.join(' ')} failed:\n${stdout}\n${stderr}`, {
      cause: error,
    });
  }
}

/** All that the package depends on comes from the project's own node_modules. */
function install(): void {
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', consumer], root);
  const archive = readdirSync(consumer).find((name) => name.endsWith('.tgz'))!;
  run('tar', ['xf', archive]);
  mkdirSync(join(consumer, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== 'tfjs-ftwt' && !name.startsWith('.')) {
      symlinkSync(join(root, 'node_modules', name), join(consumer, 'node_modules', name));
    }
  }
  run('mv', ['package', installed]);
  const prebuilds = join(installed, 'prebuilds', `${process.platform}-${process.arch}`);
  mkdirSync(prebuilds, { recursive: true });
  copyFileSync(nodeGypBuild.path(root), join(prebuilds, 'tfjs-ftwt.node'));
}

before(install);

const script = `
  const assert = require('node:assert/strict');
  const tf = require('@tensorflow/tfjs');
  const ftwt = require('tfjs-ftwt');
  tf.ready().then(() => {
    assert.equal(tf.getBackend(), 'native');
    const mask = ftwt.massMask(tf.tensor2d([[1, 6, 3]]), 0.95);
    console.log(JSON.stringify([...mask.dataSync()]), ftwt.deviceInfo().instructionSet);
  });`;

test('the package holds what running and building from source need, and nothing else', () => {
  for (const path of [
    'dist/src/index.js',
    'dist/src/index.d.ts',
    'dist/src/cli/main.js',
    'binding.gyp',
  ]) {
    assert.ok(existsSync(join(installed, path)), path);
  }
  const sources = readFileSync(join(root, 'CMakeLists.txt'), 'utf8').match(
    /native\/\S+\.(cc|cu)\b/g,
  )!;
  for (const path of [...sources, 'CMakeLists.txt', 'gyp/include/node/common.gypi']) {
    assert.ok(existsSync(join(installed, path)), path);
  }
  for (const path of [
    'test',
    'dist/test',
    'dist/bench',
    'bench',
    'build',
    'native/emulator',
    'node_modules',
    'runs',
  ]) {
    assert.ok(!existsSync(join(installed, path)), path);
  }
});

test('a CommonJS script can require it', () => {
  writeFileSync(join(consumer, 'use.cjs'), script);
  assert.match(run(process.execPath, ['use.cjs']), /^\[0,1,1\] \w+$/m);
});

test('an ES module can import every public name, and gets the same instance', () => {
  writeFileSync(
    join(consumer, 'use.mjs'),
    `import { createRequire } from 'node:module';
     import * as all from 'tfjs-ftwt';
     import { massMask } from 'tfjs-ftwt';
     const required = createRequire(import.meta.url)('tfjs-ftwt');
     const missing = Object.keys(required).filter((name) => all[name] !== required[name]);
     console.log(JSON.stringify({ missing, same: massMask === required.massMask }));`,
  );
  assert.deepEqual(JSON.parse(run(process.execPath, ['use.mjs'])), { missing: [], same: true });
});

test('its types serve CommonJS and ES modules', () => {
  const body = `
    export function maskOf(saliency: tf.Tensor2D): tf.Tensor2D { return massMask(saliency, 0.9); }
    export async function count(): Promise<number> {
      const dataset: Dataset = await loadDataset('synthetic', { count: 10 });
      return dataset.train.count;
    }
    // @ts-expect-error the mass is a number
    export const wrong = (saliency: tf.Tensor2D) => massMask(saliency, 'much');`;
  const names = 'import { loadDataset, massMask, type Dataset } from';
  writeFileSync(
    join(consumer, 'types.mts'),
    `import * as tf from '@tensorflow/tfjs'; ${names} 'tfjs-ftwt'; ${body}`,
  );
  writeFileSync(
    join(consumer, 'types.cts'),
    `import tf = require('@tensorflow/tfjs'); ${names} 'tfjs-ftwt'; ${body}`,
  );
  writeFileSync(
    join(consumer, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        module: 'NodeNext',
        target: 'ES2022',
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
      },
      files: ['types.mts', 'types.cts'],
    }),
  );
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [compiler, '-p', '.', '--pretty', 'false'],
    {
      cwd: consumer,
      encoding: 'utf8',
      env: { ...environment, LD_PRELOAD: '' }, // the compiler needs no sanitizer
    },
  );
  assert.ok(status === 0 || stdout.includes('error TS'), stderr);
  // tfjs's own declarations have errors without skipLibCheck; ours and the consumer's must have none.
  const ours = stdout
    .split('\n')
    .filter((line) => /error TS/.test(line) && !/@tensorflow/.test(line.split('(')[0]));
  assert.deepEqual(ours, []);
});
