import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const objectsRoot = resolve(__dirname, '../../../build/Release/CMakeFiles');
const kernelFolder = /^kernels_(\w+)\.dir$/;

function objectFiles(): { isa: string; file: string }[] {
  if (!existsSync(objectsRoot)) return [];
  return readdirSync(objectsRoot).flatMap((folder) => {
    const isa = kernelFolder.exec(folder)?.[1];
    if (isa === undefined) return [];
    return readdirSync(join(objectsRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.o'))
      .map((file) => ({ isa, file: join(objectsRoot, folder, file) }));
  });
}

/** Symbols that other object files see, as [type, mangled name]. A lower-case type is local, but for u, v and w. */
function globalSymbols(file: string): [string, string][] {
  const { status, stdout, stderr } = spawnSync('nm', ['--defined-only', '--format=posix', file], {
    encoding: 'utf8',
    // The sanitizer runtime that the tests may run under is not for nm.
    env: { ...process.env, LD_PRELOAD: '' },
  });
  assert.equal(status, 0, stderr);
  return stdout
    .split('\n')
    .map((line): [string, string] => [line.split(' ')[1], line.split(' ')[0]])
    .filter(([type]) => /^[A-Zuvw]$/.test(type ?? ''));
}

// Of two functions with the same name the linker keeps one. If an inline function of a header were emitted here, code
// for AVX-512 could end up in a path that every processor takes.
test('kernels of an instruction set define symbols of their own namespace only', (t) => {
  const objects = objectFiles();
  if (objects.length === 0) {
    return t.skip(`no object files under ${objectsRoot}: the addon was installed prebuilt`);
  }
  if (spawnSync('nm', ['--version']).error !== undefined) return t.skip('nm is not installed');
  for (const { isa, file } of objects) {
    const own = `4ftwt${isa.length}${isa}`; // as the mangled name spells ftwt::<isa>
    const foreign = globalSymbols(file).filter(([, name]) => !name.includes(own));
    assert.deepEqual(foreign, [], file);
  }
  assert.ok(new Set(objects.map(({ isa }) => isa)).has('baseline'));
});
