/** `ftwt info`: what the package runs on, and what is in a model. */
import { deviceInfo } from '../../binding.js';
import { countMacs } from '../../pruning/index.js';
import { grouped } from '../../report/format.js';
import { loadModel } from '../../train/index.js';
import { describeMachine } from '../machine.js';
import type { DeviceOptions } from '../options.js';
import { packageCommit, packageVersion } from '../package.js';
import { setUpDevice } from '../setUp.js';
import { pairs, table } from '../table.js';

export interface InfoOptions extends DeviceOptions {
  json?: boolean;
}

export async function info(folder: string | undefined, options: InfoOptions): Promise<void> {
  await setUpDevice(options);
  if (folder === undefined) await machineInfo(options.json);
  else await modelInfo(folder, options.json);
}

async function machineInfo(json = false): Promise<void> {
  const { instructionSets, cuda } = deviceInfo();
  const machine = describeMachine();
  const version = packageVersion();
  const commit = await packageCommit();
  if (json) {
    console.log(JSON.stringify({ version, commit, machine, instructionSets, cuda }, null, 2));
    return;
  }
  console.log(
    pairs([
      ['tfjs-ftwt', commit === null ? version : `${version}, commit ${commit.slice(0, 12)}`],
      ['TensorFlow.js', machine.tfjs],
      ['Node', machine.node],
      ['system', machine.platform],
      ['processor', `${machine.cpu}, ${machine.cores} cores`],
      ['memory', `${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB`],
      ['threads', String(machine.threads)],
      ['instruction set', `${machine.instructionSet} (of ${instructionSets.join(', ')})`],
      ['GPUs', machine.gpus.length > 0 ? machine.gpus.join(', ') : `none: ${cuda.reason}`],
    ]),
  );
}

async function modelInfo(folder: string, json = false): Promise<void> {
  const model = await loadModel(folder);
  const macs = countMacs(model);
  const inputShape = model.inputs[0].shape.slice(1);
  if (json) {
    console.log(JSON.stringify({ name: model.name, inputShape, ...macs }, null, 2));
    return;
  }
  const rows = macs.layers.map(
    ({ name, kind, outputShape, macs: own, predictorMacs, parameters }) => [
      name,
      kind,
      outputShape.join('x'),
      grouped(own),
      grouped(predictorMacs),
      grouped(parameters),
    ],
  );
  rows.push([
    'total',
    '',
    '',
    grouped(macs.total),
    grouped(macs.predictors),
    grouped(macs.parameters),
  ]);
  console.log(`${model.name}, images ${inputShape.join('x')}\n`);
  console.log(table(['layer', 'kind', 'output', 'MACs', 'predictor MACs', 'parameters'], rows));
}
