import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelOrder } from '../../src/report/firingMap.js';
import { duration, escapeHtml, grouped, percent, points, short } from '../../src/report/format.js';

test('numbers read well', () => {
  assert.equal(percent(0.93124), '93.12 %');
  assert.equal(percent(-0.051, 1), '−5.1 %');
  assert.equal(percent(NaN), '–');
  assert.equal(points(0.0031), '+0.31');
  assert.equal(points(-0.0031), '−0.31');
  assert.equal(points(-0.00001), '0.00');
  assert.equal(short(12345678), '12.3 M');
  assert.equal(short(999), '999');
  assert.equal(short(999900), '1000 k');
  assert.equal(grouped(1234567.4), '1,234,567');
  assert.equal(duration(3.21), '3.2 s');
  assert.equal(duration(492.4), '8 min 12 s');
  assert.equal(duration(3725), '1 h 2 min');
  assert.equal(duration(7199), '1 h 59 min');
});

test('escapeHtml leaves nothing that ends text or an attribute', () => {
  assert.equal(escapeHtml(`<a href="x">'&`), '&lt;a href=&quot;x&quot;&gt;&#39;&amp;');
});

test('channels stand by the class they favour, always-on first, never-on last', () => {
  const rates = [
    [0, 1, 0.1, 0.9],
    [0, 1, 0.8, 0.2],
  ];
  assert.deepEqual(channelOrder(rates), [1, 3, 2, 0]);
});
