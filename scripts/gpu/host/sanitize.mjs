// Every op on the device, under each tool of compute-sanitizer. Any finding is a failure.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const tools = ['memcheck', 'racecheck', 'synccheck', 'initcheck'];
const findingsStatus = 86;
const summary = /(ERROR|RACECHECK) SUMMARY: .*/g;

export function run(context) {
  const { rest, device, save, requireDevice } = context;
  const unknown = rest.filter((tool) => !tools.includes(tool));
  if (unknown.length > 0)
    throw new Error(`expected ${tools.join(', ')}, got ${unknown.join(', ')}`);
  if (!device.startsWith('cuda')) throw new Error(`sanitize is for --device cuda, got ${device}`);
  const sanitizer = findSanitizer();
  requireDevice();
  const results = (rest.length > 0 ? rest : tools).map((tool) => check(context, sanitizer, tool));
  for (const { tool, verdict, log } of results)
    console.log(`${tool.padEnd(10)} ${verdict}  ${log}`);
  save('sanitize.json', { sanitizer, results });
  return results.every(({ clean }) => clean) ? 0 : 1;
}

function check({ app, out, device, environment }, sanitizer, tool) {
  console.log(`compute-sanitizer --tool ${tool} …`);
  const log = join(out, `sanitize-${tool}.log`);
  const file = openSync(log, 'w');
  const start = Date.now();
  const { status, signal, error } = spawnSync(
    sanitizer,
    [
      ...['--tool', tool, '--error-exitcode', String(findingsStatus), '--target-processes', 'all'],
      ...[process.execPath, join(app, 'dist/test/everyOp.js'), device],
    ],
    { cwd: app, env: environment, stdio: ['ignore', file, file] },
  );
  closeSync(file);
  if (error !== undefined) throw new Error(`${sanitizer}: ${error.message}`);
  const seconds = (Date.now() - start) / 1000;
  const text = readFileSync(log, 'utf8');
  const { clean, verdict } = judge({ status, signal, text });
  const summaries = text.match(summary) ?? [];
  return { tool, clean, verdict, status, signal, seconds, summaries, log };
}

/** Without a summary the tool did not watch, and no finding would say nothing. */
export function judge({ status, signal, text }) {
  if (status === findingsStatus) return { clean: false, verdict: 'FINDINGS' };
  const problems = [
    ...(status === 0 ? [] : [signal ?? `exit status ${status}`]),
    ...(/^every op ran/m.test(text) ? [] : ['not all ops ran']),
    ...(text.match(summary) ? [] : ['no summary']),
  ];
  if (problems.length === 0) return { clean: true, verdict: 'clean' };
  return { clean: false, verdict: `FAILED (${problems.join(', ')})` };
}

function findSanitizer() {
  const { PATH = '', CUDA_HOME = '/usr/local/cuda' } = process.env;
  const folders = [
    ...PATH.split(':'),
    join(CUDA_HOME, 'bin'),
    join(CUDA_HOME, 'compute-sanitizer'),
  ];
  const found = folders
    .map((folder) => join(folder, 'compute-sanitizer'))
    .find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(
      'compute-sanitizer is not on this machine: looked on PATH and in CUDA_HOME (default /usr/local/cuda). It comes with the CUDA toolkit',
    );
  }
  return found;
}
