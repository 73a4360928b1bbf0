import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderReport, writeReport, type RunReport } from '../../src/report/index.js';
import { temporaryFolder } from '../cli/runFtwt.js';
import { exampleReport } from './exampleReport.js';

/** Anything that a browser would fetch or run. */
function assertSelfContained(html: string): void {
  const loaded = [...html.matchAll(/\b(?:src|href|data|action)="([^"]*)"/g)].map(([, to]) => to);
  for (const target of loaded) assert.match(target, /^data:image\/png;base64,[\w+/=]+$/);
  assert.doesNotMatch(html, /<(script|link|iframe|object|embed|base|form)\b/i);
  assert.doesNotMatch(html, /@import|url\((?!#)/);
  assert.doesNotMatch(html, /\son\w+=/i);
}

test('the page has every section and every headline number', async () => {
  const html = await renderReport(exampleReport());
  for (const text of [
    '93.12 %',
    '92.81 %',
    '54.0 %',
    '60.0 %',
    '52.0 %',
    'Training',
    'Accuracy against FLOPs',
    'Where the work is saved',
    'Active channels per layer',
    'Images per second',
    '23,456',
    '21,110 to 24,629',
    'dense ONNX Runtime 1.2.3',
    'Which channels fire for which class',
    'Cheap and expensive images',
    'Settings and machine',
    'taken for Pullover',
    '0123456789abcdef',
    '8 min 12 s',
  ]) {
    assert.ok(html.includes(text), `"${text}" is missing`);
  }
  assert.equal(html.match(/<svg /g)?.length, 8);
  assert.equal(html.match(/class="map"/g)?.length, 5);
  assert.equal(html.match(/class="sample"/g)?.length, 16);
  assertSelfContained(html);
});

test('plots share no ids, refer to their own, and take their colours from the page', async () => {
  const html = await renderReport(exampleReport());
  const ids = [...html.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const [, id] of html.matchAll(/url\(#([^)]+)\)/g)) assert.ok(ids.includes(id), id);
  assert.ok(html.includes('var(--dynamic)'));
  assert.doesNotMatch(html, /#f1f00\d/);
});

test('text from outside is escaped everywhere', async () => {
  const hostile = `<script>alert("1")</script>&'`;
  const report = exampleReport();
  report.name = hostile;
  report.model = hostile;
  report.data.name = hostile;
  report.data.classes = report.data.classes.map(() => hostile);
  report.layers[0].name = hostile;
  report.firing[0].layer = hostile;
  report.settings = { [hostile]: hostile };
  report.machine.cpu = hostile;
  const speed = report.speed!;
  speed.device = hostile;
  speed.contenders = [hostile];
  speed.rows = speed.rows.map((row) => ({ ...row, contender: hostile }));
  speed.remark = hostile;
  speed.failures = [{ contender: hostile, batch: 1, wrong: true, reason: hostile }];
  report.commit = hostile;
  assertSelfContained(await renderReport(report));
});

test('short, empty and degenerate runs have a page too', async () => {
  const degenerate: ((report: RunReport) => void)[] = [
    (report) => {
      report.dense.history = [];
      report.dynamic.history = [];
    },
    (report) => (report.dynamic.history = report.dynamic.history.slice(0, 1)),
    (report) => {
      report.dynamic.history[0].taskLoss = NaN;
      report.dynamic.history[0].keepRatio = Infinity;
      delete report.dynamic.history[0].testAccuracy;
    },
    (report) => {
      report.layers = [];
      report.firing = [];
    },
    (report) => (report.firing = [{ layer: 'empty', rates: [] }]),
    (report) => (report.firing[0].rates[0][0] = NaN),
    (report) => (report.samples = { cheapest: [], costliest: [] }),
    (report) => (report.speed = null),
    (report) => (report.speed!.rows = []),
    (report) => (report.speed!.rows = report.speed!.rows.slice(0, 1)),
    (report) => {
      report.dynamic.macsReduction = { published: -0.02, skippable: -0.05 };
      report.dynamic.accuracy = 0;
      report.dense.accuracy = 1;
    },
    (report) => {
      report.data.classes = ['only'];
      report.samples.cheapest[0].predicted = 7;
      report.commit = null;
    },
  ];
  for (const change of degenerate) {
    const report = exampleReport();
    change(report);
    const html = await renderReport(report);
    assertSelfContained(html);
    assert.doesNotMatch(html, /NaN|undefined|Infinity/, change.toString());
  }
});

test('what was not timed has dashes and a reason', async () => {
  const report = exampleReport();
  const speed = report.speed!;
  speed.contenders[2] = 'dense ONNX Runtime';
  speed.rows = speed.rows.filter(({ contender }) => contender.endsWith('session'));
  speed.remark = 'onnxruntime-node is not installed: do this & that';
  speed.failures = [{ contender: 'somebody', batch: 32, wrong: true, reason: 'logit 0' }];
  const html = await renderReport(report);
  const dashes = '<td>–</td>'.repeat(4);
  for (const batch of [1, 32]) {
    assert.ok(html.includes(`<tr><td>dense ONNX Runtime</td><td>${batch}</td>${dashes}</tr>`));
  }
  assert.ok(html.includes('onnxruntime-node is not installed: do this &amp; that</p>'));
  assert.ok(html.includes('somebody, batch 32, is not timed: logit 0</p>'));
  report.speed = null;
  assert.ok(!(await renderReport(report)).includes('Images per second'));
});

test('writeReport leaves both files, and the JSON holds the report', async (t) => {
  const folder = await temporaryFolder(t);
  const report = exampleReport();
  await writeReport(folder, report);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')), report);
  assert.match(await readFile(join(folder, 'report.html'), 'utf8'), /^<!doctype html>/);
});
