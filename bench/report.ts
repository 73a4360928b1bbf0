/** Writes the tables of committed results into README.md, between `<!-- bench:name -->` and `<!-- /bench:name -->`. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, type Environment } from './harness.js';

interface Result {
  benchmark: string;
  environment: Environment;
  table: string;
  /** A drawing, by its path in the project. */
  figure?: string;
}

export async function run(): Promise<void> {
  const directory = join(projectRoot, 'bench', 'results');
  const path = join(projectRoot, 'README.md');
  let readme = readFileSync(path, 'utf8');
  for (const file of existsSync(directory) ? readdirSync(directory).sort() : []) {
    const result = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Result;
    const begin = `<!-- bench:${result.benchmark} -->`;
    const end = `<!-- /bench:${result.benchmark} -->`;
    const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
    if (from < 0 || to < from) continue;
    readme = `${readme.slice(0, from + begin.length)}\n\n${body(result)}\n\n${caption(result)}\n\n${readme.slice(to)}`;
  }
  writeFileSync(path, readme);
}

function body({ benchmark, table, figure }: Result): string {
  return figure === undefined ? table : `${table}\n\n![${benchmark}](${figure})`;
}

function caption({ benchmark, environment: e }: Result): string {
  return (
    `<sub>${e.cpu}, ${e.threads} threads, ${e.instructionSet}, Node ${e.node}, commit ${e.commit}, ` +
    `${e.date}: \`npm run bench -- ${benchmark}\`</sub>`
  );
}
