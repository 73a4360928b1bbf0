/** The command line of `npm run bench -- models` and `-- ops`. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { reductionOf, type ContenderName } from './spec.js';
import type { Pace } from '../../src/timing/turns.js';
import type { Case } from './rounds.js';

export const usage = `options:
  --networks LIST    parts of their names (default: all)
  --batch LIST       default 1,8,32
  --threads LIST     numbers, or all (default 1,all)
  --contenders LIST  of ort, wasm, dense, dynamicN (N % of the skippable MACs left out), and dynamic, which is
                     dynamic0,dynamic30,dynamic50,dynamic70 (default ort,wasm,dense,dynamic)
  --rounds COUNT     turns of each contender (default 5)
  --turn-ms COUNT    how long a turn is (default 400)
  --save             into bench/results, also where the options above leave something out`;

export interface Settings {
  cases: Case[];
  pace: Pace;
  save: boolean;
}

const dynamics: ContenderName[] = ['dynamic0', 'dynamic30', 'dynamic50', 'dynamic70'];

/** @param networks the names that there are @throws Error naming the option */
export function settingsOf(args: string[], networks: string[]): Settings {
  const { values } = parseArgs({
    args,
    options: {
      networks: { type: 'string' },
      batch: { type: 'string' },
      threads: { type: 'string' },
      contenders: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      'turn-ms': { type: 'string', default: '400' },
      save: { type: 'boolean', default: false },
    },
  });
  const list = (text: string | undefined, all: string) => (text ?? all).split(',');
  const chosen = list(values.networks, '').flatMap((part) => {
    const found = networks.filter((name) => name.includes(part));
    if (found.length > 0) return found;
    throw new Error(`--networks: expected parts of ${networks.join(', ')}, got "${part}"`);
  });
  const cores = cpus().length;
  const threads = list(values.threads, '1,all').map((text) =>
    text === 'all' ? cores : count('--threads', text),
  );
  const batches = list(values.batch, '1,8,32').map((text) => count('--batch', text));
  const contenders = list(values.contenders, 'ort,wasm,dense,dynamic').flatMap((name) =>
    name === 'dynamic' ? dynamics : [contenderOf(name)],
  );
  const { networks: n, batch: b, threads: t, contenders: c } = values;
  return {
    cases: casesOf({ networks: chosen, batches, threads, contenders }),
    pace: {
      rounds: count('--rounds', values.rounds),
      turnMs: count('--turn-ms', values['turn-ms']),
    },
    save: values.save || [n, b, t, c].every((value) => value === undefined),
  };
}

interface Choice {
  networks: string[];
  batches: number[];
  threads: number[];
  contenders: ContenderName[];
}

function casesOf({ networks, batches, threads, contenders }: Choice): Case[] {
  const most = Math.max(...threads);
  return unique(threads).flatMap((count) =>
    unique(networks).flatMap((network) =>
      unique(batches).map((batch) => ({
        ...{ network, batch, threads: count },
        // It runs one thread, whatever it is told.
        contenders: unique(contenders).filter((name) => name !== 'wasm' || count === most),
      })),
    ),
  );
}

function unique<T>(values: T[]): T[] {
  return [...new Set(values)];
}

function contenderOf(name: string): ContenderName {
  const reduction = reductionOf(name as ContenderName);
  const known = ['dense', 'ort', 'wasm'].includes(name) || (reduction ?? 1) < 1;
  if (!known) {
    throw new Error(`--contenders: expected ort, wasm, dense, dynamic or dynamicN, got "${name}"`);
  }
  return name as ContenderName;
}

function count(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${option}: expected integers from 1, got "${text}"`);
  }
  return value;
}
