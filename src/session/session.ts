/** A network compiled for inference. */
import * as tf from '@tensorflow/tfjs';
import type { Binding, RunFields, SessionHandle } from '../binding.js';
import { check, FtwtError } from '../errors.js';
import type { Lowered } from './lower.js';
import { RunAccounts } from './macs.js';
import type { NodeKind } from './plan.js';
import { RunResult } from './runResult.js';

export interface RunOptions {
  /** Return the masks; default false. */
  masks?: boolean;
  /** [n, maskWidth] of 0 and 1: the masks to use in place of those that the predictors say (which run all the same). */
  forcedMasks?: Uint8Array;
  /** [n, ...]: where to write the logits; default a new array. */
  output?: Float32Array;
}

/** A step of the compiled network: one or more layers of the model. */
export interface SessionLayer {
  /** Of the (first) layer. */
  name: string;
  kind: NodeKind;
  /** Of one image: [h, w, c]; vectors have h = w = 1. */
  outputShape: [number, number, number];
  /** Whether a predictor decides for each image which channels are computed. */
  dynamic: boolean;
}

/** A layer with a mask. */
export interface DynamicSessionLayer {
  name: string;
  channels: number;
  /** Where its mask begins in the masks of one image. */
  maskOffset: number;
}

export interface LayerProfile {
  name: string;
  kind: NodeKind;
  /** What runs the layer: its kernel, and a predictor or an activation of their own. Their times are in milliseconds. */
  steps: { variant: string; milliseconds: number }[];
  /** Of one run, all images: the sum of the steps. */
  milliseconds: number;
  /** Of one image, all channels computed, without the predictor. */
  denseMacs: number;
  /** Of one image, what a kernel cannot skip, predictor included; mean over the images. */
  activeMacs: number;
}

/**
 * Runs a compiled network; see `compile`. Any number of runs may be in flight at once. An image's masks are the same in
 * whatever batch it is, and so are its logits, bit for bit: on a GPU in batches of the same size.
 */
export class Session {
  /** Of one image: [h, w, c]. */
  readonly inputShape: readonly number[];
  /** Of one image, as the model has it. */
  readonly outputShape: readonly number[];
  /** The largest batch that a run takes. */
  readonly maxBatch: number;
  /** All steps in the order of execution. */
  readonly layers: readonly SessionLayer[];
  /** Those with masks, in the order of `activeCounts` and `masks`: that of execution. */
  readonly dynamicLayers: readonly DynamicSessionLayer[];
  /** Bytes of one image's masks: the channels of all dynamic layers. */
  readonly maskWidth: number;

  private handle: SessionHandle | undefined;
  private readonly addon: Binding;
  private readonly accounts: RunAccounts;
  private readonly inputLength: number;
  private readonly outputLength: number;

  /** @internal Use `compile`. */
  constructor(lowered: Lowered, addon: Binding, handle: SessionHandle, maxBatch: number) {
    const { plan, graph } = lowered;
    this.addon = addon;
    this.handle = handle;
    this.maxBatch = maxBatch;
    this.accounts = new RunAccounts(lowered);
    this.inputShape = graph.model.inputs[0].shape.slice(1) as number[];
    this.outputShape = graph.model.outputs[0].shape.slice(1) as number[];
    this.inputLength = tf.util.sizeFromShape([...this.inputShape]);
    this.outputLength = tf.util.sizeFromShape([...this.outputShape]);
    this.layers = plan.nodes.map(({ name, kind, out, predictor }) => {
      return { name, kind, outputShape: [out.h, out.w, out.c], dynamic: predictor !== undefined };
    });
    this.maskWidth = this.accounts.maskWidth;
    let maskOffset = 0;
    this.dynamicLayers = plan.nodes
      .filter(({ predictor }) => predictor !== undefined)
      .map(({ name, out }) => {
        const layer = { name, channels: out.c, maskOffset };
        maskOffset += out.c;
        return layer;
      });
  }

  /** Bytes that the session holds: weights and working memory. @throws FtwtError once disposed */
  get memoryBytes(): number {
    return this.addon.sessionMemory(this.live('memoryBytes'));
  }

  /**
   * Computes a batch and waits for it.
   * @param input images [n, h, w, c], 1 <= n <= maxBatch, as a tensor or as its values; NaN gives NaN, or masks that are
   * off where a predictor sees it
   * @throws FtwtError INVALID_ARGUMENT for another size or type, or once disposed
   */
  run(input: Float32Array | tf.Tensor, options: RunOptions = {}): RunResult {
    const handle = this.live('run');
    const fields = this.fields('run', valuesOf('run', input, this.inputShape), options);
    this.addon.sessionRun(handle, fields);
    return this.result(fields, options);
  }

  /**
   * As `run`, on another thread. The arrays in `input` and `options` must be neither changed nor transferred until the
   * promise settles. `dispose` may be called meanwhile.
   * @throws (rejects) as `run`
   */
  async runAsync(input: Float32Array | tf.Tensor, options: RunOptions = {}): Promise<RunResult> {
    this.live('runAsync');
    checkInput('runAsync', input, this.inputShape);
    const values = input instanceof Float32Array ? input : await input.data<'float32'>();
    const fields = this.fields('runAsync', values, options);
    await this.addon.sessionRunAsync(this.live('runAsync'), fields);
    return this.result(fields, options);
  }

  /**
   * Runs a batch once and times it layer by layer. Where threads run images of their own, a layer's time is its share.
   * @throws FtwtError as `run`
   */
  profile(input: Float32Array | tf.Tensor, options: RunOptions = {}): LayerProfile[] {
    const handle = this.live('profile');
    const fields = this.fields('profile', valuesOf('profile', input, this.inputShape), options);
    const steps = this.addon.sessionProfile(handle, fields);
    const macs = this.accounts.countNodes({ masks: fields.masks, n: fields.n });
    const profile = this.layers.map(({ name, kind }, node): LayerProfile => {
      const { dense, active } = macs[node];
      return { name, kind, steps: [], milliseconds: 0, denseMacs: dense, activeMacs: active };
    });
    for (const { node, variant, milliseconds } of steps) {
      profile[node].steps.push({ variant, milliseconds });
      profile[node].milliseconds += milliseconds;
    }
    return profile;
  }

  /** Frees the memory, after the last run in flight. Calling it again does nothing. */
  dispose(): void {
    if (this.handle !== undefined) this.addon.sessionDispose(this.handle);
    this.handle = undefined;
  }

  private live(caller: string): SessionHandle {
    if (this.handle === undefined) {
      throw new FtwtError('INVALID_ARGUMENT', `Session.${caller}: the session is disposed`);
    }
    return this.handle;
  }

  private fields(
    caller: string,
    images: Float32Array,
    { output, forcedMasks }: RunOptions,
  ): Required<Omit<RunFields, 'forcedMasks'>> & RunFields {
    const { inputLength, outputLength, inputShape, maxBatch, maskWidth } = this;
    const n = images.length / inputLength;
    check(
      Number.isInteger(n) && n >= 1,
      () =>
        `Session.${caller}: input must be images of ${inputLength} values ([${inputShape.join(', ')}]), got ${images.length} values`,
    );
    check(
      n <= maxBatch,
      () =>
        `Session.${caller}: expected at most ${maxBatch} images (maxBatch of compile), got ${n}`,
    );
    if (output !== undefined) checkArray(caller, 'output', output, Float32Array, n * outputLength);
    if (forcedMasks !== undefined) {
      checkArray(caller, 'forcedMasks', forcedMasks, Uint8Array, n * maskWidth);
    }
    return {
      ...{ images, n, forcedMasks },
      output: output ?? new Float32Array(n * outputLength),
      activeCounts: new Int32Array(n * this.dynamicLayers.length),
      masks: new Uint8Array(n * maskWidth),
    };
  }

  private result(
    { output, n, activeCounts, masks }: Required<Omit<RunFields, 'forcedMasks'>>,
    options: RunOptions,
  ): RunResult {
    const shape = [n, ...this.outputShape];
    const asked = options.masks ? masks : undefined;
    const { accounts } = this;
    return new RunResult(output, shape, n, activeCounts, asked, { accounts, masks });
  }
}

function valuesOf(
  caller: string,
  input: Float32Array | tf.Tensor,
  shape: readonly number[],
): Float32Array {
  checkInput(caller, input, shape);
  return input instanceof Float32Array ? input : input.dataSync<'float32'>();
}

function checkInput(
  caller: string,
  input: Float32Array | tf.Tensor,
  shape: readonly number[],
): void {
  if (input instanceof Float32Array) return;
  const name = `Session.${caller}: input`;
  check(
    input instanceof tf.Tensor,
    () => `${name} must be a Float32Array or a tensor, got ${describe(input)}`,
  );
  check(!input.isDisposed, () => `${name} is disposed`);
  check(
    tf.util.arraysEqual(input.shape.slice(1), [...shape]) && input.rank === shape.length + 1,
    () => `${name} must be [n, ${shape.join(', ')}], got [${input.shape.join(', ')}]`,
  );
  check(input.dtype === 'float32', () => `${name} must be float32, got ${input.dtype}`);
}

function checkArray(
  caller: string,
  name: string,
  array: unknown,
  type: Float32ArrayConstructor | Uint8ArrayConstructor,
  length: number,
): void {
  const fits = array instanceof type && array.length === length;
  check(fits, () => {
    const got = array instanceof type ? String(array.length) : describe(array);
    return `Session.${caller}: ${name} must be a ${type.name} of ${length} values, got ${got}`;
  });
}

function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value);
  return value.constructor?.name ?? 'an object';
}
