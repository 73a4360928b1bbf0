/** Writes the tables of committed results into README.md, between `<!-- bench:name -->` and `<!-- /bench:name -->`. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, type Environment } from './harness.js';

interface Result {
  benchmark: string;
  environment: Environment;
  /** Without one, nothing goes into the README. */
  table?: string;
  /** A drawing, by its path in the project. */
  figure?: string;
  /** Where and when it was measured; default what `environment` says of the CPU. */
  caption?: string;
}

/** The text with the tables of the results in `directory` in their places. */
export function withTables(text: string, directory: string): string {
  const files = existsSync(directory) ? readdirSync(directory).sort() : [];
  for (const file of files.filter((name) => name.endsWith('.json'))) {
    const result = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Result;
    const begin = `<!-- bench:${result.benchmark} -->`;
    const end = `<!-- /bench:${result.benchmark} -->`;
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (result.table === undefined || from < 0 || to < from) continue;
    text = `${text.slice(0, from + begin.length)}\n\n${body(result)}\n\n${caption(result)}\n\n${text.slice(to)}`;
  }
  return text;
}

export async function run(): Promise<void> {
  const path = join(projectRoot, 'README.md');
  writeFileSync(
    path,
    withTables(readFileSync(path, 'utf8'), join(projectRoot, 'bench', 'results')),
  );
}

function body({ benchmark, table = '', figure }: Result): string {
  return figure === undefined ? table : `${table}\n\n![${benchmark}](${figure})`;
}

function caption({ benchmark, environment: e, caption: given }: Result): string {
  const machine = `${e.cpu}, ${e.threads} threads, ${e.instructionSet}, Node ${e.node}`;
  const where = given ?? `${machine}, commit ${e.commit}, ${e.date}`;
  return `<sub>${where}: \`npm run bench -- ${benchmark}\`</sub>`;
}
