/**
 * Convolutions and networks on a GPU, dense and channel-sparse, beside PyTorch's on the same one where python3 has it:
 * `npm run bench -- device [options] [part of a name …]`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { deviceInfo, setDevice } from '../src/index.js';
import {
  allLayers,
  layerMacs,
  networkMacs,
  networks,
  type Layer,
  type Network,
} from './device/networks.js';
import { timeSessions, type SessionRow } from './device/sessions.js';
import { deviceTable, sessionTable, summaryTable, type PeerRow, type Row } from './device/table.js';
import { Target } from './device/target.js';
import {
  timeLayer,
  timeNetwork,
  type ByPrecision,
  type Plan,
  type Timings,
} from './device/time.js';
import { environment, projectRoot } from './harness.js';

const usage = `usage: npm run bench -- device [options] [part of a name …]
  --device NAME     cuda (default), cuda:N, native, emulator
  --out FOLDER      for bench.md, bench.json, profiles.json, and what the peer reads and writes (default runs/bench-device)
  --only LIST       of layers, networks (as tf.LayersModel) and sessions (the same compiled); default all
  --batch LIST      of the networks and their layers (default 1,8,32,128)
  --rounds COUNT    default 11; on the emulator 1
  --max-macs COUNT  leave larger work out (default: none; on the emulator 200000)
  --no-peer         without PyTorch`;

const kinds = ['layers', 'networks', 'sessions'];

interface Settings {
  only: string[];
  device: string;
  out: string;
  batches: number[];
  maxMacs: number;
  plan: Plan;
  peer: boolean;
  parts: string[];
}

function settings(args: string[]): Settings {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      device: { type: 'string', default: 'cuda' },
      out: { type: 'string', default: join(projectRoot, 'runs', 'bench-device') },
      only: { type: 'string', default: kinds.join() },
      batch: { type: 'string', default: '1,8,32,128' },
      rounds: { type: 'string' },
      'max-macs': { type: 'string' },
      'no-peer': { type: 'boolean', default: false },
    },
  });
  const emulated = values.device.startsWith('emulator');
  const count = (name: string, text: string) => {
    const value = Number(text);
    if (!(value >= 1)) throw new Error(`${name} must be 1 or more, got "${text}"\n${usage}`);
    return value;
  };
  const only = values.only.split(',');
  const unknown = only.filter((kind) => !kinds.includes(kind));
  if (unknown.length > 0) {
    throw new Error(`--only: expected ${kinds.join(', ')}, got "${unknown.join()}"\n${usage}`);
  }
  return {
    only,
    device: values.device,
    out: resolve(values.out),
    batches: values.batch.split(',').map((text) => count('--batch', text)),
    maxMacs: count('--max-macs', values['max-macs'] ?? (emulated ? '200000' : 'Infinity')),
    plan: {
      rounds: count('--rounds', values.rounds ?? (emulated ? '1' : '11')),
      roundMs: emulated ? 0 : 5,
    },
    peer: !values['no-peer'] && values.device.startsWith('cuda'),
    parts: positionals,
  };
}

/** What is timed, here and by the peer, each at its own batches. */
interface Shapes {
  layers: Layer[];
  networks: (Network & { batches: number[] })[];
}

export async function run(args: string[]): Promise<void> {
  if (args.includes('--help')) return console.log(usage);
  const options = settings(args);
  const { device, out, batches } = options;
  await setDevice(device);
  mkdirSync(out, { recursive: true });
  const wanted = ({ name }: { name: string }) =>
    options.parts.length === 0 || options.parts.some((part) => name.includes(part));
  const within = (batches: number[], macs: number) =>
    batches.filter((n) => n * macs <= options.maxMacs);
  const shapes: Shapes = {
    layers: allLayers(batches)
      .filter((layer) => options.only.includes('layers') && wanted(layer))
      .map((layer) => ({ ...layer, batches: within(layer.batches, layerMacs(layer)) })),
    networks: networks
      .filter((network) => options.only.some((kind) => kind !== 'layers') && wanted(network))
      .map((network) => ({ ...network, batches: within(batches, networkMacs(network)) })),
  };
  const target = new Target();
  const launches = {
    ...shapes,
    networks: options.only.includes('networks') ? shapes.networks : [],
  };
  const rows = await timeEverything(target, launches, options.plan);
  const sessions: SessionRow[] = [];
  for (const network of options.only.includes('sessions') ? shapes.networks : []) {
    sessions.push(...(await timeSessions(target, device, network, options.plan)));
  }
  if (rows.length + sessions.length === 0) {
    throw new Error('nothing to time: no name fits, or --max-macs is too low');
  }
  const shapesPath = join(out, 'shapes.json');
  write(shapesPath, shapes);
  const peer = options.peer ? torch(shapesPath, join(out, 'torch.json')) : undefined;
  const peers = peer?.rows ?? [];
  const tables = [
    ...(rows.length > 0 ? [deviceTable(rows, peers)] : []),
    ...(sessions.length > 0 ? [sessionTable(sessions, peers)] : []),
  ].join('\n\n');
  const machine = { ...environment(), gpu: gpu(device) };
  const caption = `${machine.gpu.name}, driver ${machine.gpu.driver}, commit ${machine.commit}, ${machine.date}; ${
    peer === undefined ? 'PyTorch not timed' : peer.versions
  }`;
  write(join(out, 'bench.json'), {
    ...{ benchmark: 'device', environment: machine, caption },
    ...(sessions.length > 0 ? { table: summaryTable(sessions, peers) } : {}),
    ...{ rows, sessions: sessions.map(withoutProfiles), peer: peer ?? null },
  });
  write(join(out, 'profiles.json'), sessions);
  writeFileSync(join(out, 'bench.md'), `${tables}\n\n${caption}\n`);
  console.log(`${tables}\n\n${caption}\nwritten to ${join(out, 'bench.md')} and bench.json`);
}

function withoutProfiles({ name, batch, precision, timings, error }: SessionRow) {
  return { name, batch, precision, timings, error };
}

async function timeEverything(
  target: Target,
  { layers, networks }: Shapes,
  plan: Plan,
): Promise<Row[]> {
  const rows: Row[] = [];
  const add = async (name: string, batch: number, macs: number, time: () => Promise<Timings>) => {
    const timings: ByPrecision = {};
    for (const precision of target.precisions) {
      target.setPrecision(precision);
      timings[precision] = await time();
    }
    target.setPrecision('fp32');
    rows.push({ name, batch, macs: batch * macs, timings });
    console.error(`${name}, batch ${batch}`);
  };
  for (const layer of layers) {
    const macs = layerMacs(layer);
    for (const n of layer.batches) {
      await add(layer.name, n, macs, () => timeLayer(target, layer, n, plan));
    }
  }
  for (const network of networks) {
    const macs = networkMacs(network);
    for (const n of network.batches) {
      await add(network.name, n, macs, () => timeNetwork(target, network, n, plan));
    }
  }
  return rows;
}

interface Peer {
  versions: string;
  rows: PeerRow[];
}

/** Runs the Python peer; undefined, with the reason printed, where it cannot run. */
function torch(shapes: string, results: string): Peer | undefined {
  const script = join(projectRoot, 'bench', 'peers', 'torch_dense.py');
  rmSync(results, { force: true });
  const { error, status } = spawnSync('python3', [script, shapes, results], { stdio: 'inherit' });
  if (status !== 0) {
    console.error(
      `PyTorch was not timed to the end: ${error?.message ?? `python3 ended with status ${status}`}`,
    );
  }
  return existsSync(results) ? (JSON.parse(readFileSync(results, 'utf8')) as Peer) : undefined;
}

function gpu(device: string): { name: string; driver: string } {
  const [kind, index = '0'] = device.split(':');
  if (kind !== 'cuda') return { name: kind, driver: '-' };
  const { name } = deviceInfo().cuda.devices[Number(index)];
  const { stdout } = spawnSync(
    'nvidia-smi',
    ['--query-gpu=driver_version', '--format=csv,noheader', `--id=${index}`],
    { encoding: 'utf8' },
  );
  return { name, driver: stdout?.trim() || 'unknown' };
}

function write(path: string, value: object): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
