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
  const results = resultsOf(directory);
  for (const benchmark of new Set(results.map((result) => result.benchmark))) {
    const begin = `<!-- bench:${benchmark} -->`;
    const end = `<!-- /bench:${benchmark} -->`;
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) continue;
    const [first, ...others] = results.filter((result) => result.benchmark === benchmark);
    const parts = [open(first), ...others.map(folded)];
    text = `${text.slice(0, from + begin.length)}\n\n${parts.join('\n\n')}\n\n${text.slice(to)}`;
  }
  return text;
}

/** Those with a table; of one benchmark on several machines, that of the widest vectors first. */
function resultsOf(directory: string): Result[] {
  const files = existsSync(directory) ? readdirSync(directory).sort().reverse() : [];
  return files
    .filter((name) => name.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')) as Result)
    .filter(({ table }) => table !== undefined);
}

export async function run(): Promise<void> {
  const path = join(projectRoot, 'README.md');
  writeFileSync(
    path,
    withTables(readFileSync(path, 'utf8'), join(projectRoot, 'bench', 'results')),
  );
}

function open(result: Result): string {
  return `${body(result)}\n\n${caption(result)}`;
}

/** Of one machine more. */
function folded(result: Result): string {
  const { cpu, instructionSet, threads } = result.environment;
  const summary = `<summary>The same on ${cpu}, ${threads} threads, ${instructionSet}</summary>`;
  return `<details>${summary}\n\n${open(result)}\n\n</details>`;
}

function body({ benchmark, table = '', figure }: Result): string {
  return figure === undefined ? table : `${table}\n\n![${benchmark}](${figure})`;
}

function caption({ benchmark, environment: e, caption: given }: Result): string {
  const machine = `${e.cpu}, ${e.threads} threads, ${e.instructionSet}, Node ${e.node}`;
  const where = given ?? `${machine}, commit ${e.commit}, ${e.date}`;
  return `<sub>${where}: \`npm run bench -- ${benchmark}\`</sub>`;
}
