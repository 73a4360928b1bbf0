/** The parameter-free shortcut of CIFAR ResNets ("option A" of He et al. 2016): every other pixel, zero channels appended. */
import * as tf from '@tensorflow/tfjs';
import { check } from '../errors.js';
import { registerLayer } from '../layers/register.js';

export interface ChannelPadShortcutConfig {
  /** Channels of the output, at least those of the input. */
  filters: number;
  /** Takes every `strides`-th pixel. */
  strides: number;
  name?: string;
}

type LayerArgs = ConstructorParameters<typeof tf.layers.Layer>[0];

export class ChannelPadShortcut extends tf.layers.Layer {
  static readonly className = 'FtwtChannelPadShortcut';
  private readonly filters: number;
  private readonly strides: number;

  constructor(config: ChannelPadShortcutConfig) {
    super(config as LayerArgs);
    this.filters = config.filters;
    this.strides = config.strides;
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    const channels = (inputShape as tf.Shape)[3]!;
    check(
      channels <= this.filters,
      () =>
        `${this.name}: filters must be at least the ${channels} input channels, got ${this.filters}`,
    );
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    const [n, h, w] = inputShape as tf.Shape;
    const shrink = (size: number | null) => (size === null ? null : Math.ceil(size / this.strides));
    return [n, shrink(h), shrink(w), this.filters];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor4D;
      // A 1x1 average is the pixel itself; stridedSlice has no gradient in tfjs.
      const pixels = this.strides === 1 ? x : tf.avgPool(x, 1, this.strides, 'valid');
      return tf.pad(pixels, [
        [0, 0],
        [0, 0],
        [0, 0],
        [0, this.filters - x.shape[3]],
      ]);
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), filters: this.filters, strides: this.strides };
  }
}

registerLayer(ChannelPadShortcut);
