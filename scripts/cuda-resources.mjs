// Prints what the CUDA compiler reports for every kernel: registers, spills, shared memory, and how many blocks of it fit
// on a multiprocessor by its registers. Arguments: an architecture (default sm_90), then parts of file names (none: all).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const [architecture = 'sm_90', ...wanted] = process.argv.slice(2);
const nvcc = process.env.CUDACXX ?? 'nvcc';

const sources = readdirSync(join(root, 'native/cuda'), { recursive: true })
  .filter((file) => file.endsWith('.cu'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .map((file) => join(root, 'native/cuda', file))
  .sort();
const rows = sources.flatMap((source) => kernelsOf(compile(source), relative(root, source)));
console.log(`${architecture}: ${rows.length} kernels of ${sources.length} files`);
console.table(rows);
const spilling = rows.filter((row) => row.spills > 0);
console.log(spilling.length === 0 ? 'No spills.' : `${spilling.length} kernels spill.`);

function compile(source) {
  const options = [
    '-std=c++17',
    `-arch=${architecture}`,
    '-O3',
    '-Xptxas=-v',
    '-I',
    join(root, 'native'),
  ];
  const { status, stderr, error } = spawnSync(nvcc, [...options, '-c', source, '-o', '/dev/null'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) {
    console.error(error?.message ?? stderr);
    process.exit(1);
  }
  return demangled(stderr);
}

function demangled(text) {
  const { status, stdout } = spawnSync('c++filt', {
    input: text,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return status === 0 ? stdout : text;
}

function kernelsOf(report, file) {
  const kernels = report.split(/Compiling entry function '/).slice(1);
  return kernels.map((text) => {
    const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
    const registers = number(/Used (\d+) registers/);
    return {
      file,
      kernel: shortName(text.slice(0, text.indexOf("' for '"))),
      registers,
      spills: number(/(\d+) bytes spill stores/),
      'shared bytes': number(/(\d+) bytes smem/),
      // 64 Ki registers a multiprocessor, handed out to warps in units of 8 a thread; 64 warps at most.
      'warps a multiprocessor': Math.min(
        64,
        Math.floor(65536 / (Math.ceil(registers / 8) * 8 * 32)),
      ),
    };
  });
}

/** Without return type, namespaces and arguments. */
function shortName(signature) {
  const name = signature.replace(/ftwt::cuda::|\(anonymous namespace\)::|^void /g, '');
  return name.replace(/\(.*$/, '').slice(0, 60);
}
