// Every op on the device, under each tool of compute-sanitizer. Any finding is a failure.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const tools = ['memcheck', 'racecheck', 'synccheck', 'initcheck'];
const findingsStatus = 86;

export function run(context) {
  const { rest, out, device, save, requireDevice } = context;
  const unknown = rest.filter((tool) => !tools.includes(tool));
  if (unknown.length > 0) throw new Error(`expected ${tools.join(', ')}, got ${unknown.join(', ')}`);
  if (!device.startsWith('cuda')) throw new Error(`sanitize is for --device cuda, got ${device}`);
  const sanitizer = findSanitizer();
  requireDevice();
  const results = (rest.length > 0 ? rest : tools).map((tool) => check(context, sanitizer, tool));
  for (const { tool, verdict, log } of results) console.log(`${tool.padEnd(10)} ${verdict}  ${log}`);
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
  const summaries = text.match(/(ERROR|RACECHECK) SUMMARY: .*/g) ?? [];
  const finished = /^every op ran/m.test(text);
  // Without a summary, the tool did not watch: no finding would say nothing then.
  const clean = status === 0 && finished && summaries.length > 0;
  const verdict = clean
    ? 'clean'
    : status === findingsStatus
      ? 'FINDINGS'
      : `FAILED (${signal ?? `exit status ${status}`}${finished ? '' : ', not all ops ran'}${summaries.length > 0 ? '' : ', no summary'})`;
  return { tool, clean, verdict, status, signal, seconds, summaries, log };
}

function findSanitizer() {
  const { PATH = '', CUDA_HOME = '/usr/local/cuda' } = process.env;
  const folders = [...PATH.split(':'), join(CUDA_HOME, 'bin'), join(CUDA_HOME, 'compute-sanitizer')];
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
