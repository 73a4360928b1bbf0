/** The native addon's whole surface as one type, and the only place that loads it. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import nodeGypBuild from 'node-gyp-build';
import { check, FtwtError, type FtwtErrorCode } from './errors.js';

/** A block of device memory (see `Device`). */
export interface DeviceBlock {
  readonly deviceBlock: unique symbol;
}

/** What ops read and write: typed arrays on the host, blocks on a device. */
export type Floats = Float32Array | DeviceBlock;
export type Ints = Int32Array | DeviceBlock;
export type Bytes = Uint8Array | DeviceBlock;

/** The geometry of a convolution (Conv2dShape in native/ops/conv2d.h). */
export interface Conv2dFields {
  n: number;
  h: number;
  w: number;
  cIn: number;
  kh: number;
  kw: number;
  cOut: number;
  outH: number;
  outW: number;
  strideH: number;
  strideW: number;
  padTop: number;
  padLeft: number;
  dilationH: number;
  dilationW: number;
}

/** What a convolution reads and writes: forward, and in its two gradients. */
interface ConvForward {
  x: Floats;
  filter: Floats;
  y: Floats;
}
interface ConvInputGradient {
  dy: Floats;
  filter: Floats;
  dx: Floats;
}
interface ConvFilterGradient {
  x: Floats;
  dy: Floats;
  dFilter: Floats;
}

/** What follows the sums: a bias of [cOut], and an activation as in src/backend/kernels/activation.ts. */
interface Epilogue {
  bias?: Floats;
  activation: number;
}

/** Active channels are those with a mask above 0: inputMask [n, cIn], outputMask [n, cOut]. */
export interface SparseConvFields extends Conv2dFields {
  inputMask: Floats;
  outputMask: Floats;
}

/** x [n, pixels, cIn], weights [cIn, cOut]. */
export interface MaskPredictorFields {
  x: Floats;
  weights: Floats;
  n: number;
  pixels: number;
  cIn: number;
  cOut: number;
  /** Average pooling instead of the maximum. */
  average: boolean;
  softmax: boolean;
}

/** x is [rows, c]; gamma (1 if absent), beta (0 if absent), mean and variance are [c]. */
export interface BatchNormFields {
  x: Floats;
  gamma?: Floats;
  beta?: Floats;
  mean: Floats;
  variance: Floats;
  rows: number;
  c: number;
  epsilon: number;
  activation: number;
}

/** x is [n, h, w, c], y [n, outH, outW, c]. */
export interface PoolFields {
  average: boolean;
  n: number;
  h: number;
  w: number;
  c: number;
  outH: number;
  outW: number;
  windowH: number;
  windowW: number;
  strideH: number;
  strideW: number;
  padTop: number;
  padLeft: number;
}

/** One field object per op; sizes are integers, arrays at least as long as their shape says. */
export interface OpTable {
  /** y [n, outH, outW, cOut] = activation(x * filter + bias). */
  conv2d(fields: Conv2dFields & Epilogue & ConvForward): void;
  conv2dBackpropInput(fields: Conv2dFields & ConvInputGradient): void;
  conv2dBackpropFilter(fields: Conv2dFields & ConvFilterGradient): void;
  /** cOut = cIn * multiplier; filters are [kh, kw, cIn, multiplier]. */
  depthwiseConv2d(fields: Conv2dFields & Epilogue & ConvForward): void;
  depthwiseConv2dBackpropInput(fields: Conv2dFields & ConvInputGradient): void;
  depthwiseConv2dBackpropFilter(fields: Conv2dFields & ConvFilterGradient): void;
  /** y [batch, m, n] = activation(a b + bias); matrix i reads a[i % aBatch] and b[i % bBatch]. */
  matmul(
    fields: {
      batch: number;
      m: number;
      k: number;
      n: number;
      aBatch: number;
      bBatch: number;
      transposeA: boolean;
      transposeB: boolean;
      a: Floats;
      b: Floats;
      y: Floats;
    } & Epilogue,
  ): void;
  /** y = conv2d(x * inputMask, filter) * outputMask. */
  channelSparseConv2d(fields: SparseConvFields & ConvForward): void;
  channelSparseConv2dBackpropInput(fields: SparseConvFields & ConvInputGradient): void;
  channelSparseConv2dBackpropFilter(fields: SparseConvFields & ConvFilterGradient): void;
  /** y = op(x), element-wise; `op` indexes `unaryOps` (src/backend/kernels/unary.ts). */
  unary(fields: {
    op: number;
    x: Floats;
    y: Floats;
    count: number;
    alpha: number;
    beta: number;
  }): void;
  /** y = op(a, b); `op` indexes `binaryOps` (src/backend/kernels/binary.ts); `dims` is [rank, 3]: size, stride of a, of b. */
  binary(fields: {
    op: number;
    a: Floats;
    b: Floats;
    y: Floats | Bytes;
    dims: Int32Array;
    rank: number;
  }): void;
  /** y = condition ? t : e, all [count]. */
  select(fields: { condition: Bytes; t: Floats; e: Floats; y: Floats; count: number }): void;
  /** y = a && b, all [count]. */
  logicalAnd(fields: { a: Bytes; b: Bytes; y: Bytes; count: number }): void;
  /** x [outer, reduce, inner] -> y [outer, inner], times scale; `op` indexes `reduceOps` (src/backend/kernels/reduce.ts). */
  reduce(fields: {
    op: number;
    x: Floats;
    y: Floats;
    outer: number;
    reduce: number;
    inner: number;
    scale: number;
  }): void;
  /** Index of the first maximum: x [outer, reduce, inner] -> y [outer, inner]. */
  argMax(fields: { x: Floats; y: Ints; outer: number; reduce: number; inner: number }): void;
  /** Over the last dimension of x [rows, cols]. */
  softmax(fields: { x: Floats; y: Floats; rows: number; cols: number }): void;
  /** y [count] = value. */
  fill(fields: { y: Floats; count: number; value: number }): void;
  /** y [count] = x, converted; `from` and `to` index `castTypes` (src/backend/kernels/movement.ts). */
  cast(fields: {
    x: Floats | Ints | Bytes;
    y: Floats | Ints | Bytes;
    from: number;
    to: number;
    count: number;
  }): void;
  /** y [outer, count, inner] = x [outer, size, inner] at `indices` [count]; NaN where an index is outside. */
  gather(fields: {
    x: Floats;
    indices: Ints;
    y: Floats;
    outer: number;
    size: number;
    inner: number;
    count: number;
  }): void;
  /** From x to y along `dims` [rank, 3]: size, stride in x, stride in y. */
  copy(fields: {
    x: Floats;
    xOffset: number;
    y: Floats;
    yOffset: number;
    dims: Int32Array;
    rank: number;
  }): void;
  /** y = activation((x - mean) gamma / sqrt(variance + epsilon) + beta); x [rows, c]; `activation` indexes `activations`. */
  batchNorm(fields: BatchNormFields & { y: Floats }): void;
  /** Gradients of batchNorm; with `training`, mean and variance are those of x. */
  batchNormGrad(
    fields: BatchNormFields & {
      dy: Floats;
      dx: Floats;
      dGamma: Floats;
      dBeta: Floats;
      dMean?: Floats;
      dVariance?: Floats;
      training: boolean;
    },
  ): void;
  /** Mean and biased variance of each column of x [rows, c]. */
  batchStatistics(fields: {
    x: Floats;
    mean: Floats;
    variance: Floats;
    rows: number;
    c: number;
  }): void;
  /** NHWC; the average or the maximum of each window. */
  pool(fields: PoolFields & { x: Floats; y: Floats }): void;
  /** The maximum needs x and y as well. */
  poolGrad(fields: PoolFields & { dy: Floats; dx: Floats; x?: Floats; y?: Floats }): void;
  /** newVelocity = momentum velocity + gradient + weightDecay weight; newWeight = weight - learningRate newVelocity. */
  sgdMomentum(fields: {
    weight: Floats;
    gradient: Floats;
    velocity: Floats;
    newWeight: Floats;
    newVelocity: Floats;
    count: number;
    learningRate: number;
    momentum: number;
    weightDecay: number;
  }): void;
  /** saliency [n, c] = max over the pixels of |x [n, pixels, c]|. */
  channelSaliency(fields: {
    x: Floats;
    saliency: Floats;
    n: number;
    pixels: number;
    c: number;
  }): void;
  /** mask [n, c]; see src/ops/massMask.ts. */
  massMask(fields: {
    saliency: Floats;
    mask: Floats;
    n: number;
    c: number;
    mass: number;
    minActive: number;
    includeCrossing: boolean;
  }): void;
  /** mask [n, c]; see src/ops/topKMask.ts. */
  topKMask(fields: {
    saliency: Floats;
    mask: Floats;
    n: number;
    c: number;
    count: number;
    minActive: number;
  }): void;
  /** maskLogits [n, cOut] and features [n, cIn], what the dense layer saw. */
  maskPredictor(
    fields: MaskPredictorFields & { bias: Floats; maskLogits: Floats; features: Floats },
  ): void;
  /** dx [n, pixels, cIn] from dy [n, cOut]. */
  maskPredictorBackpropInput(
    fields: MaskPredictorFields & { dy: Floats; features: Floats; dx: Floats },
  ): void;
}

/** A node of a plan (native/session/plan.h); enums as indices (src/session/plan.ts). */
export interface PlanNodeFields {
  kind: number;
  name: string;
  inputs: Int32Array;
  out: { h: number; w: number; c: number };
  kh: number;
  kw: number;
  strideH: number;
  strideW: number;
  dilationH: number;
  dilationW: number;
  padTop: number;
  padLeft: number;
  average: boolean;
  weights?: Float32Array;
  bias?: Float32Array;
  activation: number;
  function?: { op: number; alpha: number; beta: number };
  predictor?: { weights: Float32Array; bias: Float32Array; average: boolean; softmax: boolean };
  residual?: number;
}

export interface PlanFields {
  input: { h: number; w: number; c: number };
  nodes: PlanNodeFields[];
  output: number;
}

/** The arrays of one run; see `Run` in native/session/session.h. */
export interface RunFields {
  images: Float32Array;
  n: number;
  output: Float32Array;
  activeCounts?: Int32Array;
  masks?: Uint8Array;
  forcedMasks?: Uint8Array;
}

/** A compiled plan of the addon. */
export interface SessionHandle {
  readonly sessionHandle: unique symbol;
}

export interface SessionOptions {
  maxBatch: number;
  /** Choose kernels by timing them. */
  measure: boolean;
  /** On the CPU, at most; default: as many as there are. */
  threads?: number;
  /** Of convolutions on the CPU, wherever it is possible: for tests. */
  variant?: string;
  /** Default: the CPU. */
  device?: DeviceHandle;
  precision?: Precision;
}

export interface CudaDevices {
  built: boolean;
  /** Why `devices` is empty. */
  reason: string;
  devices: {
    index: number;
    name: string;
    computeCapability: string;
    memoryBytes: number;
    multiprocessors: number;
  }[];
}

export interface Binding extends OpTable {
  /** An uninitialised, 64-byte aligned block; freed when the ArrayBuffer is garbage collected. */
  allocate(bytes: number): ArrayBuffer;
  setThreads(count: number): void;
  /** Process-wide; for tests and benchmarks. */
  setInstructionSet(name: string): void;
  info(): {
    instructionSet: string;
    instructionSets: string[];
    threads: number;
    /** Blocks of tensors and sessions that have not been freed. */
    liveBlocks: number;
    /** Working memory that threads keep: none before a thread takes part in an op that needs it. */
    scratchBlocks: number;
  };
  cudaDevices(): CudaDevices;
  /** The ops on device memory. */
  deviceOps: OpTable;
  deviceOpen(index: number): DeviceHandle;
  /** Uninitialised memory; freed when released or garbage collected. */
  deviceAllocate(device: DeviceHandle, bytes: number): DeviceBlock;
  deviceRelease(block: DeviceBlock): void;
  deviceUpload(block: DeviceBlock, from: ArrayBufferView): void;
  /** Waits. */
  deviceDownload(block: DeviceBlock, to: ArrayBufferView): void;
  deviceDownloadAsync<T extends ArrayBufferView>(block: DeviceBlock, to: T): Promise<T>;
  deviceSynchronize(device: DeviceHandle): void;
  deviceTrim(device: DeviceHandle): void;
  deviceMemory(device: DeviceHandle): DeviceMemory;
  sessionCompile(plan: PlanFields, options: SessionOptions): SessionHandle;
  /** Fills `output` and whatever else `fields` has. */
  sessionRun(session: SessionHandle, fields: RunFields): void;
  /** The same on another thread: the arrays must stay as they are, and where they are, until the promise settles. */
  sessionRunAsync(session: SessionHandle, fields: RunFields): Promise<void>;
  /** As `sessionRun`, timed node by node. */
  sessionProfile(
    session: SessionHandle,
    fields: RunFields,
  ): { node: number; variant: string; milliseconds: number }[];
  /** Bytes of weights and working memory. */
  sessionMemory(session: SessionHandle): number;
  /** Frees the session once no run uses it. */
  sessionDispose(session: SessionHandle): void;
  /** Of the emulator; for tests. */
  setSchedule(order: Schedule): void;
  deviceSetPrecision(device: DeviceHandle, precision: Precision): void;
}

/**
 * Of the products in convolutions and matrix products of a GPU: `tf32` rounds their factors to 10 bits of mantissa and
 * uses tensor cores (compute capability 8.0 and higher). Sums are float32.
 */
export type Precision = 'fp32' | 'tf32';

/** In which order the emulator runs threads: the last lets one warp run as far ahead of the others as it can. */
export type Schedule = 'forward' | 'reverse' | 'random' | 'depth';

/** A context of the addon. */
export interface DeviceHandle {
  readonly deviceHandle: unique symbol;
}

/** Bytes. */
export interface DeviceMemory {
  used: number;
  /** Held by the pool, idle blocks included. */
  reserved: number;
  free: number;
  total: number;
}

const packageRoot = resolve(__dirname, '../..');

/** The folder of the addon that was loaded. */
function addonFolder(): string {
  return dirname(nodeGypBuild.path(packageRoot));
}

function load(): Binding {
  let addon: Binding;
  try {
    addon = nodeGypBuild(packageRoot) as Binding;
  } catch (cause) {
    throw new FtwtError(
      'INTERNAL',
      `The native addon of tfjs-ftwt could not be loaded (${process.platform}-${process.arch}, Node ${process.version}).\n` +
        'Remedies: reinstall with install scripts enabled (npm rebuild tfjs-ftwt); a build from source needs CMake >= 3.20, ' +
        'a C++20 compiler, make and Python 3.\n' +
        `Reason: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const threads = process.env.FTWT_THREADS;
  if (threads !== undefined && threads !== '') {
    const count = Number(threads);
    if (!Number.isInteger(count) || count < 1 || count > 1024) {
      throw new FtwtError(
        'INVALID_ARGUMENT',
        `FTWT_THREADS must be an integer from 1 to 1024, got "${threads}"`,
      );
    }
    addon.setThreads(count);
  }
  return addon;
}

/** The same addon with its CUDA kernels compiled for the host (native/emulator). */
function loadEmulator(): Binding {
  const path = join(addonFolder(), 'emulator', 'ftwt.node');
  check(
    existsSync(path),
    () =>
      'This build of tfjs-ftwt has no emulator: build it from a clone of the repository, with FTWT_EMULATOR=ON',
    'NO_DEVICE',
  );
  return createRequire(__filename)(path) as Binding;
}

/** Native errors arrive as plain Errors with a `code`: rethrows them as FtwtError. */
function translate(error: unknown): never {
  if (error instanceof Error && 'code' in error && !(error instanceof FtwtError)) {
    throw new FtwtError(error.code as FtwtErrorCode, error.message);
  }
  throw error;
}

function withTranslatedErrors(addon: Binding): Binding {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(addon)) {
    if (name === 'deviceOps') {
      wrapped[name] = withTranslatedErrors(value as Binding);
      continue;
    }
    const call = value as (...args: unknown[]) => unknown;
    wrapped[name] = (...args: unknown[]) => {
      try {
        const result = call(...args);
        return result instanceof Promise ? result.catch(translate) : result;
      } catch (error) {
        translate(error);
      }
    };
  }
  return wrapped as unknown as Binding;
}

export const binding: Binding = withTranslatedErrors(load());
let emulator: Binding | undefined;

/** @throws FtwtError NO_DEVICE if this build has no emulator */
export function emulatorBinding(): Binding {
  return (emulator ??= withTranslatedErrors(loadEmulator()));
}

export type DeviceKind = 'cuda' | 'emulator';

/** One GPU, or the emulation of one. */
export interface Device {
  readonly ops: OpTable;
  readonly index: number;
  allocate(bytes: number): DeviceBlock;
  release(block: DeviceBlock): void;
  upload(block: DeviceBlock, from: ArrayBufferView): void;
  /** Waits. */
  download(block: DeviceBlock, to: ArrayBufferView): void;
  downloadAsync<T extends ArrayBufferView>(block: DeviceBlock, to: T): Promise<T>;
  /** Waits for all work so far; throws what went wrong in it. */
  synchronize(): void;
  trim(): void;
  memory(): DeviceMemory;
  setPrecision(precision: Precision): void;
}

/** The addon of a kind of device, and which device FTWT_DEVICE asks for (`cuda:1`; default the first). */
function chosenDevice(kind: DeviceKind): { addon: Binding; index: number } {
  const addon = kind === 'cuda' ? binding : emulatorBinding();
  const setting = process.env.FTWT_DEVICE ?? '';
  const [, name, index] = /^(\w*)(?::(\d+))?$/.exec(setting) ?? [];
  check(
    ['', 'native', 'cpu', 'cuda', 'emulator'].includes(name),
    () => `FTWT_DEVICE must be native, cpu, cuda, cuda:N or emulator, got "${setting}"`,
  );
  return { addon, index: name === kind ? Number(index ?? 0) : 0 };
}

/**
 * Opens the device that FTWT_DEVICE names.
 * @throws FtwtError NO_DEVICE, INVALID_ARGUMENT for FTWT_DEVICE
 */
export function openDevice(kind: DeviceKind): Device {
  const { addon, index } = chosenDevice(kind);
  const handle = addon.deviceOpen(index);
  return {
    ops: addon.deviceOps,
    index,
    allocate: (bytes) => addon.deviceAllocate(handle, bytes),
    release: (block) => addon.deviceRelease(block),
    upload: (block, from) => addon.deviceUpload(block, from),
    download: (block, to) => addon.deviceDownload(block, to),
    downloadAsync: (block, to) => addon.deviceDownloadAsync(block, to),
    synchronize: () => addon.deviceSynchronize(handle),
    trim: () => addon.deviceTrim(handle),
    memory: () => addon.deviceMemory(handle),
    setPrecision: (precision) => addon.deviceSetPrecision(handle, precision),
  };
}

/**
 * Where sessions on a GPU run: the addon of its kind, and a context of the device.
 * @param index which GPU; default as `openDevice`
 * @throws FtwtError as `openDevice` would
 */
export function sessionDevice(
  kind: DeviceKind,
  index?: number,
): { addon: Binding; device: DeviceHandle } {
  const chosen = chosenDevice(kind);
  return { addon: chosen.addon, device: opened(chosen.addon, index ?? chosen.index) };
}

/** What nothing is queued on: one for each device does. */
const contexts = new Map<Binding, Map<number, DeviceHandle>>();

function opened(addon: Binding, index: number): DeviceHandle {
  const known = contexts.get(addon) ?? new Map<number, DeviceHandle>();
  contexts.set(addon, known);
  const handle = known.get(index) ?? addon.deviceOpen(index);
  known.set(index, handle);
  return handle;
}

/** @throws FtwtError as `openDevice` would */
export function checkDevice(kind: DeviceKind): void {
  const { addon, index } = chosenDevice(kind);
  opened(addon, index);
}

/**
 * Sets how many threads the native kernels use (the setting FTWT_THREADS does the same at start).
 * @param count from 1 to 1024; the default is the number of cores.
 * @throws FtwtError INVALID_ARGUMENT
 */
export function setThreads(count: number): void {
  binding.setThreads(count);
}

/** What the native kernels run on: instruction set, threads, and the GPUs found. */
export function deviceInfo(): ReturnType<Binding['info']> & { cuda: CudaDevices } {
  return { ...binding.info(), cuda: binding.cudaDevices() };
}
