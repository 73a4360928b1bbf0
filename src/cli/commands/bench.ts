/** `ftwt bench`: images per second of a saved model here, beside model.predict and ONNX Runtime. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { FtwtError } from '../../errors.js';
import type { MachineReport } from '../../report/index.js';
import { compile } from '../../session/index.js';
import type { Contender } from '../../timing/contenders.js';
import { measureSpeed, type SpeedResults } from '../../timing/speed.js';
import { loadModel } from '../../train/index.js';
import { UsageError } from '../exitCodes.js';
import { interruptible } from '../interrupt.js';
import { describeMachine } from '../machine.js';
import { isDynamicModel } from '../models.js';
import { findOnnxRuntime } from '../onnxRuntime.js';
import type { DataOptions, DeviceOptions } from '../options.js';
import { checkOutput, writeJson } from '../outputFile.js';
import { packageCommit, packageVersion } from '../package.js';
import { sampleImages } from '../sampleImages.js';
import { setUpSessions } from '../setUp.js';
import { onnxName, predicts, sessionsAndOnnx, type Networks } from '../speedContenders.js';
import { deviceText, imagesText, speedTable } from '../speedText.js';

export interface BenchOptions extends DeviceOptions, Partial<DataOptions> {
  dense?: string;
  batch: number[];
  seconds: number;
  json?: string;
}

/** The content of `--json`. */
export interface BenchReport extends SpeedResults {
  model: string;
  /** The dense network that a dynamic one is compared with. */
  dense: string | null;
  version: string;
  commit: string | null;
  device: string;
  precision: string;
  /** What was run: random images, or a data set. */
  images: string;
  /** Of each contender, for each batch size. */
  seconds: number;
  onnxRuntime: string | null;
  machine: MachineReport;
}

const rounds = 5;

/** At least so many different ones, as each has its own masks. */
const leastImages = 64;

export async function bench(folder: string, options: BenchOptions): Promise<void> {
  await checkOutput('--json', options.json);
  await setUpSessions(options);
  const { networks, denseFolder } = await loadNetworks(folder, options.dense);
  const { device, precision, batch: batches, seconds, json } = options;
  // What no session can run is an error before anything is timed.
  for (const model of Object.values(networks)) {
    compile(model, { device, precision, maxBatch: 1, measure: false }).dispose();
  }
  const tell = (line: string) => json !== '-' && console.error(line);
  if (denseFolder === null && networks.dynamic !== undefined) {
    tell('No dense network to compare with: none lies beside it; --dense names one');
  }
  const runtime = findOnnxRuntime();
  if (typeof runtime === 'string') tell(`Without ONNX Runtime: ${runtime}`);
  const found = typeof runtime === 'string' ? undefined : runtime;
  const contenders = [
    ...sessionsAndOnnx(networks, { device, precision }, found),
    ...predicts(networks),
  ];
  const base = found && onnxName(found, networks.dense === undefined ? 'dynamic' : 'dense');
  const { model } = contenders[0];
  const wanted = Math.max(leastImages, 2 * Math.max(...batches));
  const { images, count, source } = await sampleImages(model, wanted, options, json === '-');
  const machine = describeMachine();
  const facts = { device, precision: precision ?? 'fp32' };
  const ratios = base ?? predicts(networks)[0].name;
  const print = (text: string) => json !== '-' && console.log(text);
  print(
    `${(networks.dynamic ?? model).name}; ${deviceText({ ...facts, ...machine })}\n${imagesText(count, source)}; ratios to ${ratios}`,
  );
  const results = await interruptible(
    (signal) => timeAll({ contenders, images, batches, seconds, signal, tell, print, ratios }),
    () => 'Stopped.',
  );
  const report: BenchReport = {
    ...{ model: folder, dense: denseFolder },
    ...{ version: packageVersion(), commit: await packageCommit(), ...facts },
    ...{ images: source, seconds, onnxRuntime: found?.version ?? null, machine, ...results },
  };
  await writeJson(json, report);
  throwFailures(results);
}

interface Timing {
  contenders: Contender[];
  images: Float32Array;
  batches: number[];
  seconds: number;
  signal: AbortSignal;
  tell(line: string): void;
  print(text: string): void;
  ratios: string;
}

async function timeAll(timing: Timing): Promise<SpeedResults> {
  const { contenders, images, batches, seconds, signal, tell, print, ratios } = timing;
  const all: SpeedResults = { rows: [], failures: [] };
  const pace = { rounds, turnMs: (1000 * seconds) / rounds };
  for (const [i, batch] of batches.entries()) {
    tell(`Timing batch ${batch} (${i + 1} of ${batches.length})`);
    const results = await measureSpeed({ contenders, batch, images, pace, signal });
    print(`\n${speedTable(batch, results, ratios)}`);
    all.rows.push(...results.rows);
    all.failures.push(...results.failures);
  }
  return all;
}

/** @throws FtwtError or UsageError where the dense network does not fit the other */
async function loadNetworks(
  folder: string,
  denseOption: string | undefined,
): Promise<{ networks: Networks; denseFolder: string | null }> {
  const model = await loadModel(folder);
  if (!isDynamicModel(model)) {
    if (denseOption !== undefined) {
      throw new UsageError(`${folder} is dense: --dense is for dynamic networks`);
    }
    return { networks: { dense: model }, denseFolder: null };
  }
  // Where `ftwt demo` puts it.
  const beside = join(dirname(resolve(folder)), 'dense');
  const denseFolder = denseOption ?? (existsSync(join(beside, 'model.json')) ? beside : null);
  if (denseFolder === null) return { networks: { dynamic: model }, denseFolder };
  const dense = await loadModel(denseFolder);
  checkComparable(denseFolder, dense, model);
  return { networks: { dense, dynamic: model }, denseFolder };
}

function checkComparable(folder: string, dense: tf.LayersModel, dynamic: tf.LayersModel): void {
  const shapes = ({ inputs, outputs }: tf.LayersModel) =>
    [...inputs, ...outputs].map(({ shape }) => `[${shape.slice(1).join(', ')}]`).join(' to ');
  const [expected, actual] = [shapes(dynamic), shapes(dense)];
  if (isDynamicModel(dense) || expected !== actual) {
    const got = isDynamicModel(dense) ? 'a dynamic one' : actual;
    throw new FtwtError(
      'INVALID_ARGUMENT',
      `--dense: ${folder} must be a dense network from ${expected}, got ${got}`,
    );
  }
}

/** @throws AggregateError of what was not timed, and why */
function throwFailures({ failures }: SpeedResults): void {
  if (failures.length === 0) return;
  throw new AggregateError(
    failures.map(
      ({ contender, batch, reason }) =>
        new FtwtError('INTERNAL', `${contender}, batch ${batch}, is not timed: ${reason}`),
    ),
  );
}
