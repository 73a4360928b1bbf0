/** What can run a network here: sessions, tfjs, ONNX Runtime. */
import type * as tf from '@tensorflow/tfjs';
import { deviceInfo, type Precision } from '../binding.js';
import { compile } from '../session/index.js';
import { checkSession, decidedError, predict, type Reference } from './logits.js';
import { openOnnx, type OnnxRuntime } from './onnxruntime.js';

/** A contender at one batch size. */
export interface Opened {
  /**
   * @returns by how much its logits are off, as a share of the largest
   * @throws WrongResults when that is too much
   */
  check(images: Float32Array, expected: Reference): number | Promise<number>;
  /** Runs the batch once. */
  run(images: Float32Array): unknown;
  /** Of sessions: the MACs of each image of a batch, as a share of the dense ones. */
  macs?(images: Float32Array): number[];
  release(): void | Promise<void>;
}

export interface Contender {
  name: string;
  /** Gives the logits that it should give. */
  model: tf.LayersModel;
  open(batch: number): Opened | Promise<Opened>;
}

export function sessionContender(
  name: string,
  model: tf.LayersModel,
  { device, precision }: { device: string; precision?: Precision },
): Contender {
  return {
    ...{ name, model },
    open(batch) {
      const session = compile(model, { device, precision, maxBatch: batch });
      return {
        check: (images, expected) => checkSession(session, images, expected, precision).error,
        run: (images) => session.run(images),
        macs(images) {
          const { skippable, dense } = session.run(images).macs;
          return Array.from(skippable, (macs) => macs / dense);
        },
        release: () => session.dispose(),
      };
    },
  };
}

/** `model.predict`, on the backend that is set. */
export function predictContender(name: string, model: tf.LayersModel): Contender {
  return {
    ...{ name, model },
    open: () => ({
      // It says itself what is right.
      check: () => 0,
      run: (images) => predict(model, images),
      release: () => undefined,
    }),
  };
}

/** With as many threads as the native kernels have. */
export function onnxContender(
  name: string,
  model: tf.LayersModel,
  runtime: OnnxRuntime,
): Contender {
  return {
    ...{ name, model },
    async open(batch) {
      const { threads } = deviceInfo();
      const onnx = await openOnnx(runtime, model, { threads, batch });
      return {
        check: async (images, expected) => decidedError(await onnx.run(images, batch), expected),
        run: (images) => onnx.run(images, batch),
        release: () => onnx.release(),
      };
    },
  };
}
