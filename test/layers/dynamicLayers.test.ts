import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs';
import {
  channelSaliency,
  FtwtError,
  isPredictorWeight,
  layers,
  massMask,
  recordMasks,
  topKMask,
  type DynamicOptions,
} from '../../src/index.js';
import { allClose } from '../allClose.js';

const shape: [number, number, number, number] = [3, 5, 4, 3];

/** A built dynamic layer with scattered weights. */
function convolution(options: Partial<layers.DynamicConv2dConfig> = {}): layers.DynamicLayer {
  const target = options.keepRatio === undefined ? { mass: 0.7 } : {};
  const layer = layers.dynamicConv2d({
    filters: 6,
    kernelSize: 3,
    padding: 'same',
    batchNormalization: true,
    activation: 'relu',
    ...target,
    ...options,
  });
  return scattered(layer);
}

function scattered(layer: layers.DynamicLayer): layers.DynamicLayer {
  layer.apply(tf.input({ shape: shape.slice(1) }));
  tf.tidy(() =>
    layer.weights.forEach((weight, i) => {
      const values = tf.randomNormal(weight.shape as number[], 0, 0.8, 'float32', i + 1);
      weight.write(/moving_variance/.test(weight.originalName) ? values.abs().add(0.1) : values);
    }),
  );
  return layer;
}

const input = () => tf.randomNormal<tf.Rank.R4>(shape, 0, 1, 'float32', 9);

const run = (layer: tf.layers.Layer, x: tf.Tensor, training: boolean) => {
  const { result, records } = recordMasks(() => layer.apply(x, { training }) as tf.Tensor4D);
  return { y: result, ...records[0] };
};

/** The activation before the mask, of stock ops. */
function dense(layer: layers.DynamicLayer, x: tf.Tensor4D, training: boolean): tf.Tensor4D {
  const value = (name: string) =>
    layer.weights.find(({ originalName }) => originalName.endsWith(`/${name}`))!.read();
  const z = tf
    .conv2d(x, value('kernel') as tf.Tensor4D, 1, 'same')
    .add(value('bias')) as tf.Tensor4D;
  const { mean, variance } = training
    ? tf.moments(z, [0, 1, 2])
    : { mean: value('moving_mean'), variance: value('moving_variance') };
  const norm = tf.batchNorm(
    z,
    mean as tf.Tensor1D,
    variance as tf.Tensor1D,
    value('beta') as tf.Tensor1D,
    value('gamma') as tf.Tensor1D,
    1e-3,
  );
  return tf.relu(norm);
}

test('forward, mask and target are those of the definition', () => {
  for (const training of [false, true]) {
    for (const options of [
      { mass: 0.7 },
      { keepRatio: 0.5 },
      { mass: 0.6, crossing: 'include' as const },
    ]) {
      tf.tidy(() => {
        const layer = convolution(options);
        const x = input();
        const a = dense(layer, x, training);
        const { y, mask, maskLogits, targetMask } = run(layer, x, training);
        allClose(mask, maskLogits.greater(0).cast('float32'));
        allClose(y, a.mul(mask.reshape([3, 1, 1, 6])), { absolute: 1e-4 });
        if (!training) return assert.equal(targetMask, undefined);
        const saliency = channelSaliency(a);
        const { mass, ...rest } = { crossing: 'exclude' as const, mass: undefined, ...options };
        const expected =
          mass === undefined
            ? topKMask(saliency, options.keepRatio!)
            : massMask(saliency, mass, rest);
        allClose(targetMask!, expected);
      });
    }
  }
});

test('every activation, without batch norm or bias as well', () => {
  const activations = [undefined, 'linear', 'relu', 'relu6', 'tanh', 'elu', 'hardSigmoid'] as const;
  for (const activation of activations) {
    for (const batchNormalization of [false, true]) {
      tf.tidy(() => {
        const layer = convolution({ activation, batchNormalization, useBias: false });
        const x = input();
        for (const training of [false, true]) {
          const { y, mask } = run(layer, x, training);
          const z = layer.convolution.call(x, {}) as tf.Tensor4D;
          const norm = (layer.batchNormalization?.apply(z, { training }) ?? z) as tf.Tensor4D;
          const a = tf.layers
            .activation({ activation: activation ?? 'linear' })
            .apply(norm) as tf.Tensor;
          allClose(y, a.mul(mask.reshape([3, 1, 1, 6])), { absolute: 1e-4 }, activation);
        }
      });
    }
  }
});

test('depthwise layers are masked by output channel', () => {
  tf.tidy(() => {
    const layer = scattered(
      layers.dynamicDepthwiseConv2d({
        kernelSize: 3,
        depthMultiplier: 2,
        activation: 'relu',
        mass: 0.7,
      }),
    );
    const x = input();
    const { y, mask } = run(layer, x, true);
    assert.deepEqual(mask.shape, [3, 6]);
    const kernel = layer.convolution.weights[0].read() as tf.Tensor4D;
    const z = tf.depthwiseConv2d(x, kernel, 1, 'valid').add(layer.convolution.weights[1].read());
    allClose(y, tf.relu(z).mul(mask.reshape([3, 1, 1, 6])), { absolute: 1e-4 });
  });
});

test('skipping masked channels gives what dense kernels and masks give', async () => {
  // Outputs of at least 64 pixels: smaller ones are computed densely.
  const settings = [
    { padding: 'same', useBias: false },
    { padding: 'same', strides: [2, 1] },
    { padding: 'valid', dilationRate: 2 },
  ] as const;
  const x = tf.tidy(() => {
    const image = tf.randomNormal([2, 12, 12, 32], 0, 1, 'float32', 3);
    return image.mul(tf.randomUniform([2, 1, 1, 32], 0, 1, 'float32', 4).less(0.4).toFloat());
  });
  for (const setting of settings) {
    const layer = layers.dynamicConv2d({
      ...(setting as object),
      filters: 33,
      kernelSize: 3,
      activation: 'relu',
      batchNormalization: true,
      mass: 0.9,
    });
    layer.apply(tf.input({ shape: [12, 12, 32] }));
    tf.tidy(() =>
      layer.weights.slice(0, -2).forEach((weight, i) => {
        const scale = /predictor_kernel/.test(weight.originalName) ? 9 : 0.3;
        const spread = tf.randomNormal(weight.shape as number[], 0, scale, 'float32', i + 1);
        weight.write(/predictor_bias/.test(weight.originalName) ? spread.mul(0) : spread);
      }),
    );
    const outputs: tf.Tensor[] = [];
    const gradients: tf.Tensor[] = [];
    for (const backend of ['cpu', 'native']) {
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      const y = layer.apply(x) as tf.Tensor;
      assert.equal(tf.memory().numTensors, before + 1);
      outputs.push(y);
      // tfjs has no gradient for dilated convolutions.
      if ('dilationRate' in setting) continue;
      const loss = (image: tf.Tensor) => tf.sum(tf.square(layer.apply(image) as tf.Tensor));
      gradients.push(tf.tidy(() => tf.grad(loss)(x).mul(tf.notEqual(x, 0).toFloat())));
    }
    const zeros = tf.tidy(() => outputs[0].max([1, 2]).equal(0).toFloat().mean().dataSync()[0]);
    assert.ok(zeros > 0.1 && zeros < 0.9, `the mask says nothing: ${zeros}`);
    allClose(outputs[1], outputs[0], { absolute: 1e-4, relative: 1e-3 });
    // Where x is zero its gradient may be skipped: whatever masked it multiplies the gradient by zero.
    if (gradients.length > 0)
      allClose(gradients[1], gradients[0], { absolute: 1e-3, relative: 1e-3 });
    tf.dispose([outputs, gradients]);
    layer.dispose();
  }
  x.dispose();
});

test('the task loss never reaches a predictor; the mask loss reaches the input only in joint mode', () => {
  for (const mode of ['decoupled', 'joint'] as const) {
    tf.tidy(() => {
      const layer = convolution({ mode, pooling: 'average', softmax: false });
      const before = scattered(
        layers.dynamicConv2d({
          filters: 3,
          kernelSize: 1,
          mass: 0.9,
          mode,
          name: `before_${mode}`,
        }),
      );
      const x = input();
      const gradients = (
        pick: (y: tf.Tensor, records: { maskLogits: tf.Tensor }[]) => tf.Tensor,
      ) => {
        const variables = [before, layer].flatMap((l) =>
          l.trainableWeights.map((w) => w.read() as tf.Variable),
        );
        const { grads } = tf.variableGrads(() => {
          const { result, records } = recordMasks(
            () =>
              layer.apply(before.apply(x, { training: true }) as tf.Tensor, {
                training: true,
              }) as tf.Tensor,
          );
          return pick(result, records).sum() as tf.Scalar;
        }, variables);
        const reached = (l: layers.DynamicLayer, predictor: boolean) =>
          l.trainableWeights
            .filter((weight) => isPredictorWeight(weight) === predictor)
            .some(
              ({ name }) => grads[name] != null && grads[name].abs().max().dataSync()[0] > 1e-6,
            );
        return {
          predictor: reached(layer, true),
          backbone: reached(layer, false),
          predictorBefore: reached(before, true),
          backboneBefore: reached(before, false),
        };
      };
      assert.deepEqual(
        gradients((y) => y.square()),
        { predictor: false, backbone: true, predictorBefore: false, backboneBefore: true },
        `task loss, ${mode}`,
      );
      assert.deepEqual(
        gradients((_, records) => records[1].maskLogits.square()),
        {
          predictor: true,
          backbone: false,
          predictorBefore: false,
          backboneBefore: mode === 'joint',
        },
        `mask loss, ${mode}`,
      );
    });
  }
});

test('predictor weights are told apart, as layer variables and as tf.Variables', () => {
  const layer = convolution();
  const names = (pick: (weight: tf.LayerVariable) => boolean) =>
    layer.weights.filter(pick).map(({ originalName }) => originalName.split('/').at(-1));
  assert.deepEqual(names(isPredictorWeight), ['predictor_kernel', 'predictor_bias']);
  assert.deepEqual(
    names((weight) => isPredictorWeight(weight.read() as tf.Variable)),
    ['predictor_kernel', 'predictor_bias'],
  );
});

test('records belong to the scope of the caller, nest, and survive nothing they should not', () => {
  const layer = convolution();
  const x = input();
  const before = tf.memory().numTensors;

  const { result, records } = recordMasks(() => layer.apply(x, { training: true }) as tf.Tensor);
  assert.equal(tf.memory().numTensors, before + 4);
  tf.dispose([result, records[0].mask, records[0].maskLogits, records[0].targetMask!]);

  tf.tidy(() => {
    const outer = recordMasks(() => {
      const inner = recordMasks(() => layer.apply(x) as tf.Tensor);
      assert.equal(inner.records.length, 1);
      return layer.apply(inner.result.slice([0, 0, 0, 0], shape)) as tf.Tensor;
    });
    assert.equal(outer.records.length, 1);
    assert.equal(outer.records[0].layer, layer);
  });
  assert.equal(tf.memory().numTensors, before);

  const failing = () =>
    recordMasks(() => {
      tf.dispose(layer.apply(x) as tf.Tensor);
      throw new Error('stop');
    });
  assert.throws(failing, /stop/);
  assert.equal(tf.memory().numTensors, before);

  assert.throws(
    () => recordMasks(async () => undefined),
    (error) => error instanceof FtwtError && /must be synchronous/.test(error.message),
  );
  const kept = tf.tidy(() => {
    const recorded = recordMasks(() => layer.apply(x) as tf.Tensor);
    return recorded as unknown as tf.TensorContainer;
  }) as unknown as ReturnType<typeof recordMasks<tf.Tensor>>;
  assert.equal(kept.records[0].mask.isDisposed, false);
  tf.dispose([kept.result, kept.records[0].mask, kept.records[0].maskLogits]);
  tf.tidy(() => void layer.apply(x, { training: true }));
  assert.equal(tf.memory().numTensors, before);
});

test('configs and bad options', () => {
  const bad = (options: Record<string, unknown>, message: RegExp) =>
    assert.throws(
      () => layers.dynamicConv2d({ filters: 2, kernelSize: 1, name: 'layer', ...options } as never),
      (error) => error instanceof FtwtError && message.test(error.message),
      String(message),
    );
  bad({}, /layer: give either mass or keepRatio/);
  bad({ mass: 0 }, /layer: mass must be in \(0, 1\]/);
  bad({ mass: 0.5, crossing: 'maybe' }, /crossing must be one of exclude, include, got maybe/);
  bad({ mass: 0.5, pooling: 'min' }, /pooling must be one of max, average/);
  bad({ mass: 0.5, softmax: 1 }, /softmax must be one of true, false, got 1/);
  bad(
    { mass: 0.5, dataFormat: 'channelsFirst' },
    /dataFormat must be channelsLast, got channelsFirst/,
  );
  bad({ mass: 0.5, activation: 'reluu' }, /unknown activation "reluu"/);

  const options: DynamicOptions = {
    keepRatio: 0.25,
    mode: 'joint',
    pooling: 'average',
    softmax: false,
  };
  const layer = convolution(options);
  const copy = new (layer.constructor as new (config: object) => layers.DynamicLayer)(
    layer.getConfig(),
  );
  assert.deepEqual(copy.getConfig(), layer.getConfig());
  assert.deepEqual(copy.options, { ...options, mass: null, minActive: 1, crossing: 'exclude' });
});
