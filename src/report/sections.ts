/** The parts of the report page, each a piece of HTML. */
import { keepRatioPlot, reductionPlot, tradeOffPlot } from './comparisons.js';
import { accuracyPlot, lossPlot, maskPlot } from './curves.js';
import { duration, escapeHtml, grouped, percent, points, short } from './format.js';
import type { RunReport, SampleReport } from './types.js';

const figure = (title: string, body: string, caption = '') =>
  `<figure><h3>${title}</h3>${body}${caption === '' ? '' : `<figcaption>${caption}</figcaption>`}</figure>`;

export function header(report: RunReport): string {
  const { data, model, seconds, machine, dense, dynamic } = report;
  const difference = dynamic.accuracy - dense.accuracy;
  const verdict =
    `The dynamic network computes on average ${short(dynamic.macs)} of ${short(dense.macs)} ` +
    `multiply-accumulates for a test image, and classifies ${percent(dynamic.accuracy)} of them correctly: ` +
    `${points(difference)} percentage points against the dense network it was made from.`;
  return `<header>
<h1>${escapeHtml(`${model} on ${data.name}: dense and dynamic`)}</h1>
<p class="quiet">${escapeHtml(
    `Run “${report.name}” of ${report.created.slice(0, 16).replace('T', ' ')} UTC · ${grouped(data.trainCount)} training and ` +
      `${grouped(data.testCount)} test images · ${duration(seconds.total)} on ${machine.cpu}, ${machine.threads} threads`,
  )}</p>
<p>${escapeHtml(verdict)}</p>
</header>`;
}

export function headline({ dense, dynamic, estimated }: RunReport): string {
  const card = (name: string, value: string, note: string, lead = false) =>
    `<div class="card${lead ? ' lead' : ''}"><span class="name">${name}</span><b>${value}</b><small>${note}</small></div>`;
  const predicted = estimated.macsReduction;
  const measured = dynamic.macsReduction;
  const miss = points(measured.skippable - predicted.skippable, 1);
  return `<section class="cards" aria-label="Headline numbers">
${card('Dense accuracy', percent(dense.accuracy), `${short(dense.macs)} MACs, ${short(dense.parameters)} parameters`)}
${card('Dynamic accuracy', percent(dynamic.accuracy), `${points(dynamic.accuracy - dense.accuracy)} points against dense`, true)}
${card('Skippable reduction', percent(measured.skippable, 1), 'of the FLOPs: what a kernel can really skip', true)}
${card('Published reduction', percent(measured.published, 1), 'of the FLOPs, counted as the paper does')}
${card('Predicted reduction', percent(predicted.skippable, 1), `skippable, before dynamic training; measured ${miss} points`)}
</section>`;
}

export function training(report: RunReport): string {
  const masked = report.dynamic.history.some(({ keepRatio }) => keepRatio !== undefined);
  const first = report.dense.history.length;
  return `<section><h2>Training</h2>
<p class="quiet">The dense network trains for ${first} epochs; the dynamic one starts from its weights and goes on for ${report.dynamic.history.length}.
Training values are means over an epoch, of augmented images.</p>
<div class="plots">
${figure('Accuracy', accuracyPlot(report))}
${figure('Loss', lossPlot(report))}
${figure('Accuracy against FLOPs', tradeOffPlot(report), 'The same dynamic network by both ways of counting; the thin line is its way there, epoch by epoch.')}
${masked ? figure('Masks', maskPlot(report), 'Over the training images, mean of the layers. Predictors are frozen in the second part of the training.') : ''}
</div></section>`;
}

export function reductions(report: RunReport): string {
  const { dense, layers } = report;
  const rows = layers
    .map(
      ({ name, channels, macs, keepRatio }) =>
        `<tr><td>${escapeHtml(name)}</td><td>${grouped(channels)}</td><td>${short(macs)}</td><td>${percent(macs / dense.macs, 1)}</td>` +
        `<td>${percent(keepRatio.estimated, 1)}</td><td>${percent(keepRatio.measured, 1)}</td>` +
        `<td>${points(keepRatio.measured - keepRatio.estimated, 1)}</td></tr>`,
    )
    .join('\n');
  return `<section><h2>Where the work is saved</h2>
<p class="quiet">Mass ${report.dynamic.mass}, ${escapeHtml(report.dynamic.mode)} training. Predicted: from the dense network and a calibration batch of ${grouped(report.estimated.calibrationImages)} training images,
before any dynamic training. Measured: on all ${grouped(report.data.testCount)} test images, after it.</p>
<div class="plots" style="align-items:start">
${figure('FLOPs reduction', reductionPlot(report))}
${layers.length === 0 ? '' : figure('Active channels per layer', keepRatioPlot(report))}
</div>
${
  layers.length === 0
    ? '<p>This network has no dynamic layers.</p>'
    : `<div class="sheet" style="margin-top:.8rem"><table><thead><tr><th>layer</th><th>channels</th><th>dense MACs</th><th>share</th><th>predicted active</th><th>measured active</th><th>difference</th></tr></thead><tbody>
${rows}
</tbody></table></div>`
}</section>`;
}

/** @param maps one base64 PNG per entry of `report.firing` */
export function firing(report: RunReport, maps: string[]): string {
  if (maps.length === 0) return '';
  const classes = report.data.classes.map((name) => `<li>${escapeHtml(name)}</li>`).join('');
  const figures = report.firing.map(({ layer, rates }, index) => {
    const label = `How often the ${rates[0].length} channels of ${layer} are active, for each class`;
    return figure(
      `${escapeHtml(layer)} <span class="quiet">· ${grouped(rates[0].length)} channels</span>`,
      `<div class="map"><ol>${classes}</ol><img alt="${escapeHtml(label)}" src="data:image/png;base64,${maps[index]}"></div>`,
    );
  });
  return `<section><h2>Which channels fire for which class</h2>
<p class="quiet">One row per class, one column per channel; the darker, the larger the share of the class’s test images for which the channel is computed:
never <span class="ramp"></span> always. Columns stand in the order of the class that favours them; first those that are always active, last those that never are.</p>
<div class="maps">
${figures.join('\n')}
</div></section>`;
}

export function samples({ samples: { cheapest, costliest }, data, dense }: RunReport): string {
  if (cheapest.length + costliest.length === 0) return '';
  const name = (label: number) => escapeHtml(data.classes[label] ?? String(label));
  const tile = ({ index, label, predicted, macs, png }: SampleReport) =>
    `<div class="sample"><img alt="${name(label)}, test image ${index}" src="data:image/png;base64,${png}"><strong>${short(macs)} MACs</strong>` +
    `${percent(macs / dense.macs, 0)} of dense<br>${name(label)}` +
    `${predicted === label ? '' : `<br><span class="wrong">taken for ${name(predicted)}</span>`}</div>`;
  const row = (title: string, tiles: SampleReport[]) =>
    tiles.length === 0
      ? ''
      : `<h3 style="margin-top:1rem">${title}</h3><div class="samples">${tiles.map(tile).join('\n')}</div>`;
  return `<section><h2>Cheap and expensive images</h2>
<p class="quiet">Each image gets its own channels, so each has its own cost.</p>
${row('Cheapest test images', cheapest)}
${row('Most expensive test images', costliest)}
</section>`;
}

export function settings(report: RunReport): string {
  const { machine, seconds } = report;
  const table = (title: string, pairs: [string, string][]) =>
    `<div><h3>${title}</h3><div class="sheet"><table class="pairs"><tbody>${pairs
      .map(([key, value]) => `<tr><th>${escapeHtml(key)}</th><td>${escapeHtml(value)}</td></tr>`)
      .join('\n')}</tbody></table></div></div>`;
  const phases = Object.entries(seconds).filter(([phase]) => phase !== 'total');
  return `<section><h2>Settings and machine</h2>
<div class="plots">
${table(
  'Settings',
  Object.entries(report.settings).map(([key, value]) => [key, String(value ?? '–')]),
)}
${table('Machine and time', [
  ['processor', machine.cpu],
  ['cores, threads used', `${machine.cores}, ${machine.threads}`],
  ['instruction set', machine.instructionSet],
  ['memory', `${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB`],
  ['GPUs', machine.gpus.length === 0 ? 'none' : machine.gpus.join(', ')],
  ['system', machine.platform],
  ['backend', machine.backend],
  ['versions', `tfjs-ftwt ${report.version}, tfjs ${machine.tfjs}, Node ${machine.node}`],
  ['commit', report.commit ?? '–'],
  ...phases.map(([phase, time]): [string, string] => [`time, ${phase}`, duration(time)]),
  ['time, total', duration(seconds.total)],
])}
</div></section>`;
}

export function glossary(): string {
  return `<section><h2>How to read this</h2>
<p><strong>FLOPs</strong> are multiply-accumulates (MACs) of convolutions and dense layers. <strong>Published</strong> counts them as the paper does:
active input channels times active output channels of every layer. <strong>Skippable</strong> counts only what a kernel can really skip: inputs after a residual
sum are dense, depthwise layers count once, and the mask predictors’ own work is included.</p>
<p><strong>Mass</strong> is the share of a layer’s saliency (largest activation per channel) that the target mask keeps; a channel is <strong>active</strong> when its
predictor asks for it. The method is “Fire Together Wire Together” (Elkerdawy et al., CVPR 2022, arXiv 2110.08232).</p></section>`;
}
