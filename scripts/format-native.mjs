// Checks the C++ and CUDA sources against .clang-format; with --write, formats them.
import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const { getNativeBinary } = createRequire(import.meta.url)('clang-format');
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'native'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(cc|cu|cuh|h)$/.test(file));
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
const { status } = spawnSync(getNativeBinary(), ['--style=file', ...mode, ...files], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
