/** What the network builders share: options and their checks, initialisation, conv + batch norm + relu. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { batchNormalization } from '../layers/batchNormalization.js';

export interface ModelOptions {
  /** [h, w, c] of one image. */
  inputShape?: [number, number, number];
  /** Length of the logits; default 10. */
  classes?: number;
  /** The same seed (an integer >= 0) gives the same initial weights. Default: random. */
  seed?: number;
}

export type ConvolutionConfig = Parameters<typeof tf.layers.conv2d>[0];

/** Hands out layers of one network: names them in order and gives every initialiser its own seed. */
export class LayerFactory {
  private drawn = 0;

  constructor(private readonly seed: number | undefined) {}

  /** conv (He initialisation) -> batch norm -> relu (unless `relu` is false). */
  convolution(
    x: tf.SymbolicTensor,
    { relu = true, ...config }: ConvolutionConfig & { name: string; relu?: boolean },
  ): tf.SymbolicTensor {
    const convolution = tf.layers.conv2d({
      padding: 'same',
      useBias: false,
      kernelInitializer: tf.initializers.heNormal({ seed: this.nextSeed() }),
      ...config,
    });
    return this.normalized(apply(convolution, x), config.name, relu);
  }

  /** 3x3 depthwise conv -> batch norm -> relu. */
  depthwise(x: tf.SymbolicTensor, name: string, strides: number): tf.SymbolicTensor {
    const convolution = tf.layers.depthwiseConv2d({
      name,
      kernelSize: 3,
      strides,
      padding: 'same',
      useBias: false,
      // He's deviation for the 9 inputs of an output; tfjs's fan counts all channels, which would vanish under epsilon.
      depthwiseInitializer: tf.initializers.truncatedNormal({
        mean: 0,
        stddev: Math.sqrt(2 / 9),
        seed: this.nextSeed(),
      }),
    });
    return this.normalized(apply(convolution, x), name, true);
  }

  /** Dense layer without activation: the logits. */
  classifier(x: tf.SymbolicTensor, classes: number): tf.SymbolicTensor {
    const layer = tf.layers.dense({
      name: 'classifier',
      units: classes,
      kernelInitializer: tf.initializers.glorotUniform({ seed: this.nextSeed() }),
    });
    return apply(layer, x);
  }

  private normalized(x: tf.SymbolicTensor, name: string, relu: boolean): tf.SymbolicTensor {
    const y = apply(batchNormalization({ name: `${name}_bn`, momentum: 0.9, epsilon: 1e-5 }), x);
    return relu ? apply(tf.layers.reLU({ name: `${name}_relu` }), y) : y;
  }

  /** tfjs takes seed 0 as "no seed": seeds start at 1. */
  private nextSeed(): number | undefined {
    this.drawn++;
    return this.seed === undefined ? undefined : this.seed * 1009 + this.drawn;
  }
}

export function apply(
  layer: tf.layers.Layer,
  x: tf.SymbolicTensor | tf.SymbolicTensor[],
): tf.SymbolicTensor {
  return layer.apply(x) as tf.SymbolicTensor;
}

/** Fills in the defaults. @throws FtwtError INVALID_ARGUMENT */
export function checkedOptions(
  builder: string,
  options: ModelOptions,
  defaultShape: [number, number, number],
): { inputShape: [number, number, number]; classes: number; factory: LayerFactory } {
  const { inputShape = defaultShape, classes = 10, seed } = options;
  check(
    Array.isArray(inputShape) && inputShape.length === 3 && inputShape.every(isPositive),
    () =>
      `${builder}: inputShape must be [h, w, c] of positive integers, got ${JSON.stringify(inputShape)}`,
  );
  check(
    isPositive(classes),
    () => `${builder}: classes must be a positive integer, got ${classes}`,
  );
  check(
    seed === undefined || (Number.isSafeInteger(seed * 1009 + 1009) && seed >= 0),
    () => `${builder}: seed must be an integer >= 0, got ${seed}`,
  );
  return { inputShape, classes, factory: new LayerFactory(seed) };
}

export function isPositive(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}
