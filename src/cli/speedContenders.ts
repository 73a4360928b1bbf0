/** Who is timed, by what a user has: a dense network, a dynamic one, ONNX Runtime. */
import type * as tf from '@tensorflow/tfjs';
import type { Precision } from '../binding.js';
import {
  onnxContender,
  predictContender,
  sessionContender,
  type Contender,
} from '../timing/contenders.js';
import type { OnnxRuntime } from '../timing/onnxruntime.js';

export interface Networks {
  dense?: tf.LayersModel;
  dynamic?: tf.LayersModel;
}

export interface SessionTarget {
  /** For `compile`. */
  device: string;
  precision?: Precision;
}

/** ONNX Runtime has the dense network, as it computes all channels of the other one as well. */
export function sessionsAndOnnx(
  { dense, dynamic }: Networks,
  target: SessionTarget,
  runtime: OnnxRuntime | undefined,
): Contender[] {
  const contenders: Contender[] = [];
  if (dense !== undefined) contenders.push(sessionContender('dense session', dense, target));
  if (dynamic !== undefined) contenders.push(sessionContender('dynamic session', dynamic, target));
  if (runtime !== undefined) {
    const name = onnxName(runtime, dense === undefined ? 'dynamic' : 'dense');
    contenders.push(onnxContender(name, (dense ?? dynamic)!, runtime));
  }
  return contenders;
}

export function predicts({ dense, dynamic }: Networks): Contender[] {
  const contenders: Contender[] = [];
  if (dense !== undefined) contenders.push(predictContender('dense model.predict', dense));
  if (dynamic !== undefined) contenders.push(predictContender('dynamic model.predict', dynamic));
  return contenders;
}

export function onnxName({ version }: OnnxRuntime, network: 'dense' | 'dynamic'): string {
  return `${network} ONNX Runtime ${version}`;
}
