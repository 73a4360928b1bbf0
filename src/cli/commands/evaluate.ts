/** `ftwt evaluate`: accuracy of a saved model and, if it is dynamic, what its masks save. */
import { duration, grouped, percent } from '../../report/format.js';
import { countMacs, type MacsSummary } from '../../pruning/index.js';
import { evaluate, loadModel } from '../../train/index.js';
import { interruptible } from '../interrupt.js';
import { loadData } from '../loadData.js';
import type { DataOptions, DeviceOptions } from '../options.js';
import { setUpDevice } from '../setUp.js';
import { pairs } from '../table.js';
import { activityTable } from '../activityTable.js';

export interface EvaluateCommandOptions extends DeviceOptions, DataOptions {
  split: 'test' | 'train';
  json?: boolean;
}

export async function evaluateCommand(
  folder: string,
  options: EvaluateCommandOptions,
): Promise<void> {
  await setUpDevice(options);
  const model = await loadModel(folder);
  const dataset = await loadData(options, options.json);
  const split = dataset[options.split];
  const { accuracy, loss, images, seconds, macs } = await interruptible(
    (signal) => {
      if (!options.json) console.error(`Evaluating on ${grouped(split.count)} images`);
      return evaluate(model, split, { signal });
    },
    () => 'Stopped.',
  );
  const denseMacs = countMacs(model).total;
  if (options.json) {
    const result = {
      model: folder,
      data: dataset.name,
      split: options.split,
      accuracy,
      loss,
      images,
      denseMacs,
    };
    console.log(JSON.stringify({ ...result, seconds, ...(macs && reductions(macs)) }, null, 2));
    return;
  }
  const lines: [string, string][] = [
    ['accuracy', `${percent(accuracy)} of ${grouped(images)} images`],
    ['loss', loss.toFixed(4)],
    ['dense MACs', grouped(denseMacs)],
  ];
  if (macs !== undefined) {
    const { published, skippable } = macs.macsReduction;
    lines.push(
      ['dynamic MACs', grouped(macs.dynamicMacs.skippable)],
      ['FLOPs reduction, skippable', percent(skippable)],
      ['FLOPs reduction, published', percent(published)],
    );
  }
  lines.push(['time', `${duration(seconds)}, ${grouped(images / seconds)} images/s`]);
  console.log(pairs(lines));
  if (macs !== undefined) console.log(`\n${activityTable(macs)}`);
}

function reductions({ macsReduction, dynamicMacs, layers }: MacsSummary) {
  return { macsReduction, dynamicMacs, layers };
}
