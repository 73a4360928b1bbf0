/** Dependencies point one way; this is the list of what may know what. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(__dirname, '../../..');

/** A part of src, and the other parts it may import. */
const mayImport: Record<string, string[]> = {
  errors: [],
  binding: ['errors'],
  backend: ['binding', 'errors'],
  ops: ['backend', 'binding', 'errors'],
  layers: ['ops', 'errors'],
  models: ['layers', 'ops', 'errors'],
  pruning: ['layers', 'models', 'ops', 'errors'],
  data: ['errors'],
  session: ['pruning', 'layers', 'models', 'ops', 'backend', 'binding', 'errors'],
  export: ['session', 'errors'],
  timing: ['export', 'session', 'layers', 'binding', 'errors'],
  train: ['session', 'pruning', 'layers', 'models', 'ops', 'data', 'errors'],
  report: ['train', 'timing', 'pruning', 'data', 'errors'],
};

/** A part of native, and the others it may include; `binding` may include only headers of `cuda` without CUDA. */
const mayInclude: Record<string, string[]> = {
  ops: [],
  cpu: ['ops'],
  emulator: [],
  'emulator/tests': ['emulator', 'cuda'],
  cuda: ['ops', 'emulator'],
  session: ['cpu', 'cuda', 'ops'],
  binding: ['session', 'cpu', 'cuda', 'ops'],
};

function filesOf(directory: string): { path: string; text: string }[] {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: path.slice(root.length + 1), text: readFileSync(path, 'utf8') }));
}

test('the parts of src import only what stands below them', () => {
  const imports = /(?:from|import\(|require\()\s*'(\.[^']*)'/g;
  const wrong: string[] = [];
  for (const { path, text } of filesOf('src')) {
    const part = partOf(path);
    // The entry point and the command line may know everything.
    if (part === 'index' || part === 'cli' || part === 'node-gyp-build') continue;
    assert.ok(mayImport[part], `src/${part} is not in the list of this test`);
    for (const [, target] of text.matchAll(imports)) {
      const other = partOf(normalize(join(dirname(path), target)));
      if (other !== part && !mayImport[part].includes(other)) wrong.push(`${path}: ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

function partOf(path: string): string {
  return path.split('/')[1].replace(/(\.d)?\.[jt]s$/, '');
}

test('native kernels know neither JavaScript nor the parts above them', () => {
  const includes = /^\s*#\s*include\s*["<]([^">]+)[">]/gm;
  const wrong: string[] = [];
  for (const { path, text } of filesOf('native')) {
    const folder = path.split('/')[1];
    const part = path.startsWith('native/emulator/tests/') ? 'emulator/tests' : folder;
    assert.ok(mayInclude[part], `native/${part} is not in the list of this test`);
    for (const [, header] of text.matchAll(includes)) {
      const other = header.split('/')[0];
      const isNapi = /^(napi|node_api|js_native_api|uv|v8|node)\b.*\.h$/.test(header);
      const isCuda = /^(cuda|cublas|cudnn|nv)\w*\.h(pp)?$/.test(header);
      const upwards = other in mayInclude && other !== part && !mayInclude[part].includes(other);
      const cudaInBinding = part === 'binding' && other === 'cuda' && header !== 'cuda/runtime.h';
      const bad =
        upwards ||
        cudaInBinding ||
        (isNapi && part !== 'binding') ||
        (isCuda && folder !== 'cuda' && folder !== 'emulator');
      if (bad) wrong.push(`${path}: ${header}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('only src/binding.ts loads the addon', () => {
  const loaders = filesOf('src').filter(({ text }) => /from 'node-gyp-build'|\.node'/.test(text));
  assert.deepEqual(
    loaders.map(({ path }) => path),
    ['src/binding.ts'],
  );
});

test('every source of native is built, and every source that is built exists', () => {
  const listed = new Set(
    ['CMakeLists.txt', 'native/emulator/emulator.cmake'].flatMap(
      (path) => readFileSync(join(root, path), 'utf8').match(/native\/\S+\.(cc|cu)\b/g) ?? [],
    ),
  );
  const present = filesOf('native')
    .map(({ path }) => path)
    .filter((path) => /\.(cc|cu)$/.test(path));
  assert.deepEqual([...listed].sort(), present.sort());
});
