// The compiled tests, with Node's own runner. Tests of a kernel run on the device that was asked for and no other.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Tests that need npm, the sources or a terminal's tools have no place here. */
const folders = ['backend', 'emulator', 'layers', 'models', 'ops', 'pruning', 'session', 'train'];

export function run({ app, device, out, rest, node, save, requireDevice }) {
  requireDevice();
  const root = join(app, 'dist/test');
  const files = readdirSync(root, { recursive: true })
    .filter((path) => path.endsWith('.test.js') && folders.includes(path.split('/')[0]))
    .filter((path) => rest.length === 0 || rest.some((part) => path.includes(part)))
    .map((path) => join(root, path))
    .sort();
  if (files.length === 0) throw new Error(`no test file matches ${rest.join(', ')}`);
  const junit = join(out, 'test.xml');
  const reporters = Object.entries({ spec: 'stdout', junit, tap: join(out, 'test.tap') });
  const status = node(
    [
      ...['--test', '--expose-gc'],
      ...reporters.flatMap(([name, destination]) => [
        `--test-reporter=${name}`,
        `--test-reporter-destination=${destination}`,
      ]),
      ...files,
    ],
    { cwd: app, environment: { FTWT_TEST_DEVICE: device, FTWT_DEVICE: device } },
  );
  // The runner closes its file with `<!-- tests 12 -->` and so on.
  const counts = Object.fromEntries(
    [...readFileSync(junit, 'utf8').matchAll(/<!-- (\w+) ([\d.]+) -->/g)].map(([, name, count]) => [
      name,
      Number(count),
    ]),
  );
  console.log(`${device}: ${counts.pass} passed, ${counts.fail} failed, ${counts.skipped} skipped`);
  save('test.json', { ...counts, files: files.length, status });
  return status;
}
