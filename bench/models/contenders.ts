/** Makes a contender ready: builds it, checks what it computes, says what is known of it. */
import * as tf from '@tensorflow/tfjs';
import { compile, countMacs, makeDynamic, type Session } from '../../src/index.js';
import { randomImages } from '../../src/timing/images.js';
import { checkedError, predict } from '../../src/timing/logits.js';
import { openOnnx } from '../peers/onnxruntime.js';
import { useWasm } from '../peers/wasm.js';
import { maskedLogits } from './check.js';
import { randomMaskSets } from './masks.js';
import { networkOf } from './networks.js';
import { randomiseNorms, randomisePredictors } from './randomise.js';
import { reductionOf, type Facts, type Spec } from './spec.js';

export interface Contender {
  facts: Facts;
  /** Runs the batch once. */
  run(): unknown;
}

/** Runs go through these in turn. */
const maskSets = 8;

/** So many images are checked with the predictors' own masks, and with those that are timed. */
const checkedImages = 2;

/** @throws Error when its logits are not those of `model.predict` */
export async function openContender(spec: Spec): Promise<Contender> {
  const model = randomiseNorms(networkOf(spec.network).build());
  const images = randomImages(model, spec.batch);
  const opened =
    reductionOf(spec.contender) === undefined
      ? await openDense(spec, model, images)
      : openDynamic(spec, model, images);
  if (spec.contender !== 'wasm') tf.disposeVariables();
  return opened;
}

async function openDense(
  { contender, batch, threads }: Spec,
  model: tf.LayersModel,
  images: Float32Array,
): Promise<Contender> {
  const expected = predict(model, images);
  const run = await runner(contender, { model, images, batch, threads });
  const error = checkedError(contender, await run(), expected);
  return { facts: { error, denseMacs: countMacs(model).total }, run };
}

interface Task {
  model: tf.LayersModel;
  images: Float32Array;
  batch: number;
  threads: number;
}

/** @returns a function that gives the logits of the images */
async function runner(
  contender: string,
  { model, images, batch, threads }: Task,
): Promise<() => Float32Array | Promise<Float32Array>> {
  if (contender === 'ort') {
    const onnx = await openOnnx(model, { threads, batch });
    return () => onnx.run(images, batch);
  }
  if (contender === 'wasm') {
    await useWasm();
    return () => predict(model, images);
  }
  const session = compile(model, { maxBatch: batch });
  return () => session.run(images).logits;
}

function openDynamic(
  { contender, batch }: Spec,
  dense: tf.LayersModel,
  images: Float32Array,
): Contender {
  const model = randomisePredictors(makeDynamic(dense, { mass: 0.9 }));
  const session = compile(model, { maxBatch: batch });
  const reduction = reductionOf(contender)!;
  const masks = randomMaskSets(model, { reduction, n: batch, count: maskSets });
  const error = Math.max(
    ownMasksError(session, model, images),
    ...masks.sets.slice(0, 2).map((set) => forcedMasksError(session, dense, images, set)),
  );
  let next = 0;
  return {
    facts: {
      error,
      denseMacs: countMacs(dense).total,
      density: masks.density,
      reduction: masks.reduction,
    },
    run: () => session.run(images, { forcedMasks: masks.sets[next++ % maskSets] }),
  };
}

/** The predictors decide. */
function ownMasksError(session: Session, model: tf.LayersModel, images: Float32Array): number {
  const few = images.subarray(0, checkedImages * (images.length / session.maxBatch));
  return checkedError('predicted masks', session.run(few).logits, predict(model, few));
}

/** The whole batch runs; a few images are checked. */
function forcedMasksError(
  session: Session,
  dense: tf.LayersModel,
  images: Float32Array,
  masks: Uint8Array,
): number {
  const { logits } = session.run(images, { forcedMasks: masks });
  const n = Math.min(checkedImages, session.maxBatch);
  const expected = maskedLogits(dense, { images, masks, n, session });
  return checkedError('given masks', logits.subarray(0, expected.length), expected);
}
