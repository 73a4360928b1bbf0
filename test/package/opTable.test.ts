import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { binding } from '../../src/binding.js';
import '../../src/index.js';
import { compositeNames } from '../../src/ops/runOp.js';

const root = resolve(__dirname, '../../..');
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const filesIn = (folder: string, ending: string) =>
  readdirSync(join(root, folder)).filter((file) => file.endsWith(ending));

/** First groups of all matches, sorted. */
function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1]).sort();
}

const camelCase = (name: string) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/** The ops that headers declare for a device, by file. */
function declaredOps(device: 'cpu' | 'cuda'): Map<string, string[]> {
  const inNamespace = new RegExp(`^namespace ${device} \\{\n([^}]*)\\}`, 'm');
  return new Map(
    filesIn('native/ops', '.h')
      .map((file): [string, string[]] => {
        const declarations = inNamespace.exec(read('native/ops', file))?.[1] ?? '';
        return [file, matches(declarations, /^void (\w+)\(const \w+Params& \w+\);/gm)];
      })
      .filter(([, ops]) => ops.length > 0),
  );
}

const allDeclared = [...declaredOps('cpu').values()].flat().map(camelCase).sort();

test('headers declare the same ops for both devices', () => {
  assert.deepEqual(declaredOps('cuda'), declaredOps('cpu'));
});

test('ops_absent.cc stands in for every CUDA op', () => {
  const defined = matches(
    read('native/cuda/ops_absent.cc'),
    /^void (\w+)\(const \w+Params&\) \{/gm,
  );
  assert.deepEqual(defined.map(camelCase).sort(), allDeclared);
});

test('every declared op has a host kernel in the file of its name', () => {
  for (const [header, ops] of declaredOps('cpu')) {
    const source = join('native/cpu', header.replace('.h', '.cc'));
    assert.ok(existsSync(join(root, source)), `${source} is missing`);
    const defined = matches(read(source), /^void (\w+)\(const \w+Params& \w+\) \{/gm);
    assert.deepEqual(
      ops.filter((op) => !defined.includes(op)),
      [],
      `${source} lacks these`,
    );
  }
});

test("the binding's tables hold the declared ops", () => {
  const tables = filesIn('native/binding', '.cc').map((file) => read('native/binding', file));
  assert.deepEqual(matches(tables.join('\n'), /^ {4}\{"(\w+)", \w+\},$/gm), allDeclared);
});

test('OpTable in src/binding.ts holds the declared ops', () => {
  const body = /export interface OpTable \{\n([\s\S]*?)\n\}\n/.exec(read('src', 'binding.ts'))![1];
  assert.deepEqual(matches(body, /^ {2}(\w+)\(/gm), allDeclared);
});

test('the addon exports the declared ops', () => {
  const exported = Object.entries(binding)
    .filter(([, value]) => typeof value === 'function')
    .map(([name]) => name);
  assert.deepEqual(
    allDeclared.filter((op) => !exported.includes(op)),
    [],
  );
});

test('CMakeLists.txt lists every source', () => {
  const listed = new Set(matches(read('CMakeLists.txt'), /^ {2}(native\/\S+\.cc)\)?$/gm));
  const present = ['native/binding', 'native/cpu', 'native/cpu/gemm', 'native/cpu/kernels'].flatMap(
    (folder) => filesIn(folder, '.cc').map((file) => `${folder}/${file}`),
  );
  assert.deepEqual(
    present.filter((file) => !listed.has(file)),
    [],
  );
});

test('every kernel of the custom ops is native on `native`', () => {
  const helper = 'WithoutGradient'; // runs what it is given
  const missing = compositeNames().filter(
    (name) => name !== helper && tf.getKernel(name, 'native') == null,
  );
  assert.deepEqual(missing, []);
});
