import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { cacheDirectory } from '../../src/data/cache.js';
import {
  obtainFiles,
  type DataFile,
  type DataSource,
  type ObtainRequest,
} from '../../src/data/obtain.js';
import { temporaryFolder } from '../temporaryFolder.js';

const contents = { alpha: Buffer.from('first file'), beta: Buffer.alloc(5000, 7) };
const files: DataFile[] = Object.entries(contents).map(([name, bytes]) => ({
  name,
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
}));

function fill(directory: string, changes: Record<string, Buffer> = {}): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, bytes] of Object.entries(contents)) {
    writeFileSync(join(directory, `${name}.gz`), changes[name] ?? gzipSync(bytes));
  }
}

/** A source that works, and counts how often it is asked. */
function source(changes: Record<string, Buffer> = {}): DataSource & { asked: number } {
  return {
    name: 'fake source',
    asked: 0,
    async fetch(directory) {
      this.asked++;
      fill(directory, changes);
    },
  };
}

function request(cache: string, changes: Partial<ObtainRequest> = {}): ObtainRequest {
  return {
    title: 'Toy',
    files,
    cache,
    directories: [],
    sources: [],
    offline: false,
    remedies: ['do this', 'or that'],
    ...changes,
  };
}

async function expectContents(found: Promise<Map<string, Uint8Array>>): Promise<void> {
  const map = await found;
  for (const [name, bytes] of Object.entries(contents)) assert.ok(bytes.equals(map.get(name)!));
}

test('the cache comes first, then system directories, then the sources in order', async () => {
  const root = temporaryFolder();
  const [cache, system] = [join(root, 'cache'), join(root, 'system')];
  const fetcher = source();
  fill(system);
  await expectContents(obtainFiles(request(cache, { directories: [system], sources: [fetcher] })));
  assert.equal(fetcher.asked, 0);
  assert.ok(!existsSync(cache));
  await expectContents(obtainFiles(request(cache, { sources: [fetcher] })));
  assert.equal(fetcher.asked, 1);
  assert.deepEqual(readdirSync(cache).sort(), ['alpha.gz', 'beta.gz']);
  await expectContents(obtainFiles(request(cache, { sources: [fetcher] })));
  assert.equal(fetcher.asked, 1);
});

test('files put there by hand may be decompressed', async () => {
  const cache = temporaryFolder();
  for (const [name, bytes] of Object.entries(contents)) writeFileSync(join(cache, name), bytes);
  await expectContents(obtainFiles(request(cache)));
});

const badFiles: [string, Buffer, RegExp][] = [
  ['truncated', gzipSync(contents.beta).subarray(0, 20), /beta.gz does not decompress/],
  ['too long', gzipSync(Buffer.alloc(9999)), /beta.gz does not decompress/],
  [
    'too short',
    gzipSync(Buffer.alloc(10)),
    /beta: expected 5000 bytes after decompression, got 10/,
  ],
  ['altered', gzipSync(Buffer.alloc(5000, 8)), /beta: expected SHA-256 \w{64}, got \w{64}/],
  ['empty', Buffer.alloc(0), /beta: expected 5000 bytes after decompression, got 0/],
];

for (const [what, beta, message] of badFiles) {
  test(`a ${what} file in the cache is fetched again; from a source it never gets there`, async () => {
    const cache = temporaryFolder();
    fill(cache, { beta });
    await assert.rejects(obtainFiles(request(cache)), { code: 'NOT_FOUND', message });
    await expectContents(obtainFiles(request(cache, { sources: [source()] })));
    await expectContents(obtainFiles(request(cache)));
    const other = join(cache, 'other');
    await assert.rejects(obtainFiles(request(other, { sources: [source({ beta })] })), { message });
    assert.deepEqual(readdirSync(other), []);
  });
}

test('when all fails, the error lists every attempt with its reason, and the remedies', async () => {
  const cache = join(temporaryFolder(), 'cache');
  const broken = (name: string, reason: Error): DataSource => ({
    name,
    fetch: () => Promise.reject(reason),
  });
  const sources = [
    broken('mirror', new TypeError('fetch failed', { cause: new Error('getaddrinfo ENOTFOUND') })),
    broken('package', new Error('no such program')),
  ];
  await assert.rejects(obtainFiles(request(cache, { directories: ['/nowhere'], sources })), {
    name: 'FtwtError',
    code: 'NOT_FOUND',
    message: [
      'Toy was not found and could not be fetched. Tried:',
      `  - ${cache}: no alpha.gz`,
      '  - /nowhere: no alpha.gz',
      '  - mirror: fetch failed (getaddrinfo ENOTFOUND)',
      '  - package: no such program',
      'What you can do:',
      '  - do this',
      '  - or that',
    ].join('\n'),
  });
});

test('offline, no source is asked', async () => {
  const fetcher = source();
  const cache = temporaryFolder();
  await assert.rejects(obtainFiles(request(cache, { sources: [fetcher], offline: true })), {
    message: /download: not tried, because offline was asked for/,
  });
  assert.equal(fetcher.asked, 0);
});

test('a cache that cannot be made is a reason, not a crash', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  await assert.rejects(obtainFiles(request(join(file, 'cache'), { sources: [source()] })), {
    code: 'NOT_FOUND',
    message: /fake source: ENOTDIR/,
  });
});

test('several at the same time all succeed and leave nothing but the files', async () => {
  const cache = join(temporaryFolder(), 'cache');
  const all = Array.from({ length: 8 }, () => obtainFiles(request(cache, { sources: [source()] })));
  await Promise.all(all.map(expectContents));
  assert.deepEqual(readdirSync(cache).sort(), ['alpha.gz', 'beta.gz']);
});

test('a killed process leaves a directory that a later fetch removes, but not a fresh one', async () => {
  const cache = temporaryFolder();
  for (const name of ['.partial-1-old', '.partial-2-new']) mkdirSync(join(cache, name));
  const dayAgo = Date.now() / 1000 - 24 * 3600;
  utimesSync(join(cache, '.partial-1-old'), dayAgo, dayAgo);
  await expectContents(obtainFiles(request(cache, { sources: [source()] })));
  assert.deepEqual(readdirSync(cache).sort(), ['.partial-2-new', 'alpha.gz', 'beta.gz']);
});

test('a file that cannot be read is reported as such', async () => {
  const cache = temporaryFolder();
  fill(cache);
  rmSync(join(cache, 'alpha.gz'));
  mkdirSync(join(cache, 'alpha.gz'));
  await assert.rejects(obtainFiles(request(cache)), { code: 'NOT_FOUND', message: /EISDIR/ });
});

test('the cache directory follows FTWT_CACHE, then XDG_CACHE_HOME, then the home directory', () => {
  assert.equal(cacheDirectory({ FTWT_CACHE: '/a', XDG_CACHE_HOME: '/b' }), '/a');
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: '/b' }), '/b/tfjs-ftwt');
  assert.match(cacheDirectory({ XDG_CACHE_HOME: 'relative' }), /\.cache\/tfjs-ftwt$/);
  assert.match(cacheDirectory({}), /\.cache\/tfjs-ftwt$/);
});
