/** A compiled network for the terminal. */
import { percent, short } from '../report/format.js';
import type { CompileReport, LayerReport } from './commands/compile.js';
import { deviceText, imagesText, milliseconds, perSecond } from './speedText.js';
import { pairs, table } from './table.js';

export function planText(report: CompileReport): string {
  const { layers, check, images, batch, memoryBytes, imagesPerSecond } = report;
  const macs = (of: 'denseMacs' | 'activeMacs') =>
    layers.reduce((sum, layer) => sum + layer[of], 0);
  const time = layers.reduce((sum, layer) => sum + layer.milliseconds, 0);
  const rows = layers.map((layer) => [
    layer.name,
    layer.dynamic ? `dynamic ${layer.kind}` : layer.kind,
    layer.outputShape.join('x'),
    kernelOf(layer),
    milliseconds(layer.milliseconds),
    short(layer.denseMacs),
    layer.denseMacs === 0 ? '-' : short(layer.activeMacs),
  ]);
  rows.push([
    'total',
    '',
    '',
    '',
    milliseconds(time),
    short(macs('denseMacs')),
    short(macs('activeMacs')),
  ]);
  const { median, p10, p90 } = report.milliseconds;
  const share = percent(macs('activeMacs') / macs('denseMacs'), 1);
  const facts: [string, string][] = [
    ['batch', imagesText(batch, images)],
    [
      'time',
      `${milliseconds(median)} ms (${milliseconds(p10)} to ${milliseconds(p90)}), ${perSecond(imagesPerSecond)} images/s`,
    ],
    ['memory', `${(memoryBytes / 2 ** 20).toFixed(1)} MiB`],
    [
      'check',
      `agrees with model.predict: ${imagesText(check.images, images)}, logits within ${check.error === 0 ? 0 : check.error.toExponential(0)}`,
    ],
  ];
  if (layers.some(({ dynamic }) => dynamic)) {
    facts.splice(2, 0, ['MACs', `${share} of the dense ones, predictors included`]);
  }
  if (check.turnedMasks > 0) {
    facts.push(['masks', `rounding turned ${check.turnedMasks} entries`]);
  }
  if (report.onnx !== null) facts.push(['ONNX', report.onnx]);
  return [
    `${report.name}, images ${report.inputShape.join('x')}; ${deviceText(report)}`,
    table(header, rows, { left: 2 }),
    pairs(facts),
  ].join('\n\n');
}

const header = ['layer', 'kind', 'output', 'kernel', 'ms', 'dense MACs', 'active'];

/** The predictor of a dynamic layer goes without saying. */
function kernelOf({ steps, dynamic }: LayerReport): string {
  const names = steps.map(({ variant }) => variant);
  return names.filter((name) => !dynamic || name !== 'predictor').join(' + ');
}
