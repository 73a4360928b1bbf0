/** Small networks with weights that are far from their initial values, and how to save and load one in memory. */
import * as tf from '@tensorflow/tfjs';
import {
  layers,
  mobilenetV1,
  recordMasks,
  resnet,
  vggSmall,
  type MaskRecord,
} from '../../src/index.js';

/** Every architecture that makeDynamic must handle, on small images. */
export function smallNetworks(): tf.LayersModel[] {
  return [
    vggSmall({ inputShape: [8, 8, 2], widths: [5, 'M', 7], head: 'flatten', classes: 3, seed: 1 }),
    resnet({ depth: 8, inputShape: [8, 8, 3], classes: 3, seed: 1 }),
    mobilenetV1({ alpha: 0.02, inputShape: [16, 16, 3], classes: 3, seed: 1 }),
    branches(),
    sequential(),
  ].map(randomized);
}

/** A functional model with two branches, a concatenation, conv activations, biases and odd shapes. */
export function branches(): tf.LayersModel {
  const input = tf.input({ shape: [9, 7, 3], name: 'image' });
  const apply = (layer: tf.layers.Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]) =>
    layer.apply(x) as tf.SymbolicTensor;
  const { conv2d } = tf.layers;
  const stem = apply(
    conv2d({ name: 'stem', filters: 4, kernelSize: 3, strides: 2, activation: 'relu' }),
    apply(tf.layers.zeroPadding2d({ padding: 1 }), input),
  );
  const relu = tf.layers.reLU({ name: 'shared_relu', maxValue: 6 });
  const left = apply(relu, apply(conv2d({ name: 'left', filters: 3, kernelSize: 1 }), stem));
  const right = apply(
    relu,
    apply(
      layers.batchNormalization({ name: 'right_bn', scale: false }),
      apply(
        tf.layers.depthwiseConv2d({
          name: 'right',
          kernelSize: 3,
          depthMultiplier: 2,
          padding: 'same',
        }),
        stem,
      ),
    ),
  );
  const both = apply(tf.layers.concatenate(), [left, right]);
  const mixed = apply(
    tf.layers.activation({ activation: 'tanh' }),
    apply(conv2d({ name: 'mix', filters: 5, kernelSize: 2, useBias: false }), both),
  );
  const pooled = apply(
    tf.layers.maxPooling2d({ poolSize: 2 }),
    apply(tf.layers.dropout({ rate: 0.5 }), mixed),
  );
  const head = apply(
    tf.layers.dense({ units: 3, name: 'head' }),
    apply(tf.layers.flatten(), pooled),
  );
  return tf.model({ inputs: input, outputs: head, name: 'branches' });
}

function sequential(): tf.LayersModel {
  return tf.sequential({
    name: 'sequential',
    layers: [
      tf.layers.conv2d({ inputShape: [6, 6, 1], filters: 4, kernelSize: 3, name: 'first' }),
      tf.layers.batchNormalization({ name: 'norm' }),
      tf.layers.activation({ activation: 'relu6', name: 'six' }),
      tf.layers.conv2d({ filters: 3, kernelSize: 3, name: 'second', activation: 'relu' }),
      tf.layers.globalAveragePooling2d({} as never),
      tf.layers.dense({ units: 3, name: 'logits' }),
    ],
  });
}

/** Gives a model weights (seeded) that make every part of it matter, running variances above 0. */
export function randomized(model: tf.LayersModel): tf.LayersModel {
  tf.tidy(() => {
    model.weights.forEach((weight, index) => {
      const values = tf.randomNormal(weight.shape as number[], 0, 0.6, 'float32', index + 1);
      const positive = /moving_variance|gamma/.test(weight.originalName);
      weight.write(positive ? values.abs().add(0.3) : values);
    });
  });
  return model;
}

export function images(model: tf.LayersModel, count: number, seed = 11): tf.Tensor4D {
  const [, h, w, c] = model.inputs[0].shape as number[];
  return tf.randomNormal([count, h, w, c], 0, 1, 'float32', seed);
}

/** Makes a dynamic model's predictors say something different for every image and channel. */
export function scatterPredictors(model: tf.LayersModel): void {
  tf.tidy(() => {
    model.weights.forEach((weight, index) => {
      if (!/predictor/.test(weight.originalName)) return;
      const scale = /kernel/.test(weight.originalName) ? 4 : 0.3;
      weight.write(tf.randomNormal(weight.shape as number[], 0, scale, 'float32', index + 101));
    });
  });
}

export async function savedAndLoaded(model: tf.LayersModel): Promise<tf.LayersModel> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (saved) => {
      // Through JSON, as a file would.
      artifacts = { ...saved, modelTopology: JSON.parse(JSON.stringify(saved.modelTopology)) };
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  return tf.loadLayersModel(tf.io.fromMemory(artifacts!));
}

/** One forward pass with what was recorded in it. Call it inside a tidy. */
export function forward(
  model: tf.LayersModel,
  x: tf.Tensor,
  training = false,
): { y: tf.Tensor; records: MaskRecord[] } {
  const { result, records } = recordMasks(() => model.apply(x, { training }) as tf.Tensor);
  return { y: result, records };
}
