// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer into build/asan and runs the tests against it.
// Arguments: parts of file names to run (none: all).
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
// node-gyp-build looks for build/Release below the directory that TFJS_FTWT_PREBUILD names.
const directory = join(root, 'build', 'asan');
const output = join(directory, 'build', 'Release');
mkdirSync(output, { recursive: true });

const cmakeJs = createRequire(import.meta.url)
  .resolve('cmake-js/package.json')
  .replace(/package\.json$/, 'bin/cmake-js');
const build = spawnSync(process.execPath, [cmakeJs, 'build', '-O', output], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { ...process.env, FTWT_CUDA: 'OFF', FTWT_SANITIZE: 'address,undefined' },
});
if (build.status !== 0) process.exit(build.status ?? 1);

const runtime = execFileSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
const tests = spawnSync(
  process.execPath,
  [join(root, 'scripts', 'test.mjs'), ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    env: {
      ...process.env,
      TFJS_FTWT_PREBUILD: directory,
      LD_PRELOAD: runtime,
      // Tests ask for more memory than there is.
      ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:allocator_may_return_null=1',
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
      FTWT_TEST_SANITIZED: '1',
    },
  },
);
process.exit(tests.status ?? 1);
