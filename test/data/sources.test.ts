import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { DataProgress } from '../../src/index.js';
import { reasonOf, type DataFile } from '../../src/data/obtain.js';
import { aptSource } from '../../src/data/sources/apt.js';
import { httpSource } from '../../src/data/sources/http.js';
import { temporaryFolder } from '../temporaryFolder.js';

const file: DataFile = { name: 'part', bytes: 100_000, sha256: '' };
const ignore = () => undefined;

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => assert.fail('expected a failure'),
    (error: unknown) => reasonOf(error),
  );
}

test('a file is fetched as it is, with progress in bytes', async (t) => {
  const body = Buffer.alloc(70_000, 3);
  const paths: string[] = [];
  const base = await serve(t, (request, response) => {
    paths.push(request.url!);
    if (request.url === '/part.gz') return response.writeHead(302, { location: '/moved' }).end();
    response.writeHead(200, { 'content-length': body.length }).end(body);
  });
  const directory = temporaryFolder();
  const events: DataProgress[] = [];
  await httpSource(base).fetch(directory, [file], (event) => events.push(event));
  assert.ok(readFileSync(join(directory, 'part.gz')).equals(body));
  assert.deepEqual(paths, ['/part.gz', '/moved']);
  const url = `${base}part.gz`;
  const last = { source: url, file: 'part.gz', unit: 'bytes', done: 70_000, total: 70_000 };
  assert.deepEqual(events.at(-1), last);
});

test('every way a transfer fails gives its reason', async (t) => {
  const answers: Record<string, RequestListener> = {
    '/missing/part.gz': (_, response) => response.writeHead(404).end('no'),
    '/cut/part.gz': (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('only this');
      setTimeout(() => response.destroy(), 20);
    },
    '/endless/part.gz': (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(65536)));
      };
      response.on('drain', more);
      more();
    },
    '/stalled/part.gz': (_, response) => response.writeHead(200).write('a'),
    '/silent/part.gz': () => undefined,
  };
  const base = await serve(t, (request, response) => answers[request.url!](request, response));
  const reason = (path: string) =>
    failure(
      httpSource(`${base}${path}/`, { connect: 300, stall: 300 }).fetch(
        temporaryFolder(),
        [file],
        ignore,
      ),
    );
  assert.match(await reason('missing'), /^part\.gz \(HTTP status 404\)$/);
  assert.match(await reason('cut'), /^part\.gz \(terminated/);
  assert.match(await reason('endless'), /expected at most 1148576 bytes, got more/);
  assert.match(await reason('stalled'), /no data for 0\.3 s/);
  assert.match(await reason('silent'), /no answer for 0\.3 s/);
  const closed = httpSource('http://127.0.0.1:1/').fetch(temporaryFolder(), [file], ignore);
  assert.match(await failure(closed), /ECONNREFUSED|bad port/);
});

/** Stand-ins for apt-get and dpkg-deb, and the lines that the first was called with. */
function programs(aptGet: string, dpkgDeb: string) {
  const directory = temporaryFolder();
  const make = (name: string, script: string) => {
    const path = join(directory, name);
    writeFileSync(path, `#!/bin/sh\necho "$@" >> ${directory}/calls\n${script}\n`, { mode: 0o755 });
    return path;
  };
  return {
    aptGet: make('apt-get', aptGet),
    dpkgDeb: make('dpkg-deb', dpkgDeb),
    calls: () => readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n'),
  };
}

const toyPackage = { package: 'toy', directory: 'usr/share/toy' };
const printUri = `echo "Reading package lists..."; echo "'http://x/toy.deb' toy_1.deb 4 SHA256:0"`;
const download = `case "$*" in *--print-uris*) ${printUri};; *) printf data > toy_1.deb; sleep 0.5;; esac`;
const unpack = 'mkdir -p "$3/usr/share/toy" && cp "$2" "$3/usr/share/toy/part.gz"';

test('a Debian package is downloaded and unpacked, with progress', async () => {
  const directory = temporaryFolder();
  const events: DataProgress[] = [];
  await aptSource(toyPackage, programs(download, unpack)).fetch(directory, [file], (event) =>
    events.push(event),
  );
  assert.equal(readFileSync(join(directory, 'part.gz'), 'utf8'), 'data');
  assert.deepEqual(events[0], {
    source: 'apt-get download toy',
    file: 'toy_1.deb',
    unit: 'bytes',
    done: 4,
    total: 4,
  });
});

test('where apt knows no packages yet, it works with lists of its own', async () => {
  const directory = temporaryFolder();
  const withLists = `case "$*" in
    *update*) mkdir -p ${directory}/apt-lists/ready;;
    *) test -d ${directory}/apt-lists/ready || { echo "E: Unable to locate package toy" >&2; exit 100; }
       ${download};;
  esac`;
  const fakes = programs(withLists, unpack);
  await aptSource(toyPackage, fakes).fetch(directory, [file], ignore);
  assert.ok(existsSync(join(directory, 'part.gz')));
  const own = `-o Dir::State::lists=${directory}/apt-lists -o Dir::Cache=${directory}/apt-cache`;
  assert.deepEqual(
    fakes.calls().map((line) => line.includes(own)),
    [false, true, true, true, false],
  );
});

test('what goes wrong with apt becomes the reason', async () => {
  const reason = (aptGet: string, dpkgDeb: string) =>
    failure(
      aptSource(toyPackage, programs(aptGet, dpkgDeb)).fetch(temporaryFolder(), [file], ignore),
    );
  assert.match(await reason('echo "W: x" >&2; echo "E: broken" >&2; exit 1', unpack), /E: broken$/);
  assert.match(await reason('echo "E: Unable to locate package" >&2; exit 100', unpack), /Unable/);
  assert.match(await reason(download, 'echo "not an archive" >&2; exit 2'), /not an archive$/);
  assert.match(await reason(download, 'exit 0'), /the package holds no part\.gz/);
  const absent = aptSource(toyPackage, { aptGet: '/nowhere/apt-get', dpkgDeb: '' });
  const message = await failure(absent.fetch(temporaryFolder(), [file], ignore));
  assert.equal(message, '/nowhere/apt-get: is not on the PATH');
});
