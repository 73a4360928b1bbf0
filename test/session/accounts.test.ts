/** What a dynamic session tells: MACs, counts, profiles, the order of masks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import { compile, layers as ours, makeDynamic, vggSmall } from '../../src/index.js';
import { uniform } from '../agrees.js';
import { sessionDevices } from '../devices.js';
import { agreesOnMacs, bitsEqual, mass, networks } from './networks.js';
import { images, masksOf, modelOf, predict, scatter } from './oracle.js';

const { layers } = tf;

test('MACs and counts are those of measureMacs', () => {
  for (const { label, build, device } of networks()) {
    const model = scatter(makeDynamic(build(), { mass }));
    const session = agreesOnMacs(label, model, device);
    const names = new Set(session.dynamicLayers.map(({ name }) => name));
    assert.equal(names.size, session.dynamicLayers.length);
    session.dispose();
  }
});

test('a profile names every layer, and its MACs sum to those of the run', () => {
  const dense = scatter(vggSmall({ seed: 1 }));
  const model = scatter(makeDynamic(vggSmall({ seed: 1 }), { mass }));
  const cases = sessionDevices().flatMap((device) =>
    Object.entries({ dense, dynamic: model }).map(([name, network]) => ({ device, name, network })),
  );
  for (const { device, name, network } of cases) {
    const label = `${name} on ${device}`;
    const session = compile(network, { maxBatch: 4, measure: false, device });
    const x = images(network, 4);
    const { macs } = session.run(x);
    const profile = session.profile(x);
    assert.deepEqual(
      profile.map(({ name, kind }) => `${kind} ${name}`),
      session.layers.map(({ name, kind }) => `${kind} ${name}`),
    );
    const sum = (pick: (layer: (typeof profile)[0]) => number) =>
      profile.reduce((total, layer) => total + pick(layer), 0);
    assert.equal(
      sum(({ denseMacs }) => denseMacs),
      macs.dense,
      label,
    );
    const mean = macs.skippable.reduce((a, b) => a + b) / 4;
    assert.ok(Math.abs(sum(({ activeMacs }) => activeMacs) - mean) < 1e-6 * mean, label);
    assert.ok(profile.every(({ milliseconds, steps }) => milliseconds > 0 && steps.length > 0));
    session.dispose();
  }
});

test('a model that is trained on does not change its session', () => {
  const model = scatter(makeDynamic(vggSmall({ seed: 1 }), { mass }));
  const session = compile(model, { maxBatch: 2, measure: false });
  const x = images(model, 2);
  const before = session.run(x).logits;
  scatter(model, 2);
  bitsEqual(session.run(x).logits, before, 'after training');
  assert.notDeepEqual([...predict(model, x).logits], [...before]);
  model.dispose();
  bitsEqual(session.run(x).logits, before, 'after dispose');
  session.dispose();
});

test('the order of dynamicLayers tells which mask is whose', () => {
  const model = modelOf([6, 6, 3], (x) => {
    const dynamic = (name: string, activation: 'linear' | 'relu') =>
      ours
        .dynamicConv2d({ name, filters: 6, kernelSize: 3, padding: 'same', activation, mass })
        .apply(x) as tf.SymbolicTensor;
    const sum = layers.add().apply([dynamic('first', 'linear'), dynamic('second', 'relu')]);
    return sum as tf.SymbolicTensor;
  });
  const session = compile(model, { measure: false });
  assert.deepEqual(
    session.dynamicLayers.map(({ name }) => name),
    ['second', 'first'],
  );
  const x = uniform([2, 6, 6, 3], -1, 1, 3);
  const masks = masksOf(session.run(x, { masks: true }), session.dynamicLayers, session.maskWidth);
  assert.deepEqual(masks.get('first'), predict(model, x).masks.get('first'));
  session.dispose();
});
