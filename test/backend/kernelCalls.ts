/** For each kernel of tfjs's cpu backend a call that runs it, through tfjs's public functions where there is one. */
import * as tf from '@tensorflow/tfjs';
import type { NamedAttrMap, NamedTensorMap, Tensor } from '@tensorflow/tfjs';
import { uniform } from '../agrees.js';

type Call = () => Tensor | Tensor[];

/** Kernels that cannot be called here, and why. */
export const unreachable: Record<string, string> = {
  Draw: 'draws on an HTML canvas',
};

const matrix = () => uniform([3, 4], 0.1, 0.9) as tf.Tensor2D;
const other = () => uniform([3, 4], 0.1, 0.9, 2) as tf.Tensor2D;
const vector = () => uniform([6], 0.1, 0.9) as tf.Tensor1D;
const ints = (...values: number[]) => tf.tensor1d(values, 'int32');
const image = (...shape: number[]) =>
  uniform(shape.length > 0 ? shape : [2, 5, 6, 3]) as tf.Tensor4D;
const volume = (...shape: number[]) => uniform(shape) as tf.Tensor5D;
const bools = () => tf.greater(matrix(), 0.5);
const complex = () => tf.complex(matrix(), other());
const boxes = () => tf.tensor2d([0, 0, 1, 1, 0, 0, 0.9, 1, 0.5, 0.5, 1, 1], [3, 4]);
const gradient = (f: (x: Tensor) => Tensor, x: Tensor) =>
  tf.grad((t) => tf.sum(tf.square(f(t))))(x);
const kernel = (name: string, inputs: Record<string, Tensor>, attrs: object = {}) =>
  tf.engine().runKernel(name, inputs as NamedTensorMap, attrs as NamedAttrMap) as Tensor | Tensor[];

const elementWise: Record<string, Call> = {
  Abs: () => tf.abs(matrix()),
  Acos: () => tf.acos(matrix()),
  Acosh: () => tf.acosh(tf.add(matrix(), 1)),
  Asin: () => tf.asin(matrix()),
  Asinh: () => tf.asinh(matrix()),
  Atan: () => tf.atan(matrix()),
  Atan2: () => tf.atan2(matrix(), other()),
  Atanh: () => tf.atanh(matrix()),
  Ceil: () => tf.ceil(matrix()),
  ClipByValue: () => tf.clipByValue(matrix(), 0.2, 0.6),
  ComplexAbs: () => tf.abs(complex()),
  Cos: () => tf.cos(matrix()),
  Cosh: () => tf.cosh(matrix()),
  Elu: () => tf.elu(tf.neg(matrix())),
  EluGrad: () => gradient(tf.elu, tf.neg(matrix())),
  Erf: () => tf.erf(matrix()),
  Exp: () => tf.exp(matrix()),
  Expm1: () => tf.expm1(matrix()),
  Floor: () => tf.floor(tf.mul(matrix(), 9)),
  IsFinite: () => tf.isFinite(matrix()),
  IsInf: () => tf.isInf(matrix()),
  IsNan: () => tf.isNaN(matrix()),
  LeakyRelu: () => tf.leakyRelu(tf.neg(matrix())),
  Log: () => tf.log(matrix()),
  Log1p: () => tf.log1p(matrix()),
  LogicalNot: () => tf.logicalNot(bools()),
  Neg: () => tf.neg(matrix()),
  Prelu: () => tf.prelu(tf.neg(matrix()), other()),
  Reciprocal: () => tf.reciprocal(matrix()),
  Relu: () => tf.relu(tf.neg(matrix())),
  Relu6: () => tf.relu6(tf.mul(matrix(), 9)),
  Round: () => tf.round(tf.mul(matrix(), 9)),
  Rsqrt: () => tf.rsqrt(matrix()),
  Selu: () => tf.selu(tf.neg(matrix())),
  Sigmoid: () => tf.sigmoid(matrix()),
  Sign: () => tf.sign(tf.neg(matrix())),
  Sin: () => tf.sin(matrix()),
  Sinh: () => tf.sinh(matrix()),
  Softplus: () => tf.softplus(matrix()),
  Sqrt: () => tf.sqrt(matrix()),
  Square: () => tf.square(matrix()),
  Step: () => tf.step(matrix()),
  Tan: () => tf.tan(matrix()),
  Tanh: () => tf.tanh(matrix()),
};

const binary: Record<string, Call> = {
  Add: () => [tf.add(matrix(), other()), tf.real(tf.add(complex(), complex()))],
  AddN: () => tf.addN([matrix(), other()]),
  BitwiseAnd: () => tf.bitwiseAnd(ints(5, 6), ints(3, 12)),
  BroadcastArgs: () => tf.broadcastArgs(ints(1, 3), ints(4, 3)),
  Complex: () => [tf.real(complex()), tf.imag(complex())],
  Equal: () => tf.equal(matrix(), matrix()),
  FloorDiv: () => tf.floorDiv(ints(7, -7), ints(2, 2)),
  Greater: () => tf.greater(matrix(), other()),
  GreaterEqual: () => tf.greaterEqual(matrix(), other()),
  Imag: () => tf.imag(complex()),
  Less: () => tf.less(matrix(), other()),
  LessEqual: () => tf.lessEqual(matrix(), other()),
  LogicalAnd: () => tf.logicalAnd(bools(), tf.less(other(), 0.5)),
  LogicalOr: () => tf.logicalOr(bools(), tf.less(other(), 0.5)),
  Maximum: () => tf.maximum(matrix(), other()),
  Minimum: () => tf.minimum(matrix(), other()),
  Mod: () => tf.mod(matrix(), other()),
  Multiply: () => [tf.mul(matrix(), other()), tf.imag(tf.mul(complex(), complex()))],
  NotEqual: () => tf.notEqual(matrix(), other()),
  Pow: () => tf.pow(matrix(), other()),
  Real: () => tf.real(complex()),
  RealDiv: () => tf.div(matrix(), other()),
  Select: () => tf.where(bools(), matrix(), other()),
  SquaredDifference: () => tf.squaredDifference(matrix(), other()),
  Sub: () => tf.sub(matrix(), other()),
};

const reductions: Record<string, Call> = {
  All: () => tf.all(bools(), 1),
  Any: () => tf.any(bools(), 0),
  ArgMax: () => tf.argMax(matrix(), 1),
  ArgMin: () => tf.argMin(matrix(), 1),
  Bincount: () => tf.bincount(ints(1, 2, 1), tf.tensor1d([]), 4),
  Cumprod: () => tf.cumprod(matrix(), 1),
  Cumsum: () => tf.cumsum(matrix(), 1),
  DenseBincount: () => tf.denseBincount(ints(1, 2, 1), tf.tensor1d([]), 4),
  Max: () => tf.max(matrix(), 0),
  Mean: () => tf.mean(matrix(), 1),
  Min: () => tf.min(matrix(), 0),
  Prod: () => tf.prod(matrix(), 1),
  Softmax: () => tf.softmax(matrix()),
  Sum: () => tf.sum(matrix(), 0),
  TopK: () => {
    const { values, indices } = tf.topk(vector(), 3);
    return [values, indices];
  },
  Unique: () => {
    const { values, indices } = tf.unique(ints(3, 1, 3));
    return [values, indices];
  },
  UnsortedSegmentSum: () => tf.unsortedSegmentSum(vector(), ints(0, 1, 0, 2, 1, 0), 3),
};

const movement: Record<string, Call> = {
  BatchToSpaceND: () => tf.batchToSpaceND(image(4, 2, 2, 1), [2, 2], [[0, 0], [0, 0]]), // prettier-ignore
  Cast: () => tf.cast(matrix(), 'int32'),
  Concat: () => tf.concat([matrix(), other()], 1),
  DepthToSpace: () => tf.depthToSpace(image(1, 2, 2, 4), 2),
  Diag: () => tf.diag(vector()),
  ExpandDims: () => tf.expandDims(matrix(), 1),
  Fill: () => tf.fill([2, 3], 4),
  GatherNd: () => tf.gatherND(matrix(), tf.tensor2d([1, 2, 0, 3], [2, 2], 'int32')),
  GatherV2: () => tf.gather(matrix(), ints(2, 0)),
  Identity: () => tf.clone(matrix()),
  LinSpace: () => tf.linspace(0, 1, 5),
  MirrorPad: () => tf.mirrorPad(matrix(), [[1, 1], [0, 2]], 'reflect'), // prettier-ignore
  Multinomial: () => tf.multinomial(vector(), 5, 7),
  OneHot: () => tf.oneHot(ints(1, 0), 3),
  OnesLike: () => tf.onesLike(matrix()),
  Pack: () => tf.stack([matrix(), other()]),
  PadV2: () => tf.pad(matrix(), [[1, 0], [0, 2]], 3), // prettier-ignore
  Range: () => kernel('Range', {}, { start: 0, stop: 5, step: 2, dtype: 'int32' }),
  Reshape: () => tf.reshape(matrix(), [2, 6]),
  Reverse: () => tf.reverse(matrix(), 1),
  ScatterNd: () => tf.scatterND(tf.tensor2d([1, 3], [2, 1], 'int32'), tf.tensor1d([5, 6]), [4]),
  SearchSorted: () => tf.lowerBound(tf.tensor1d([0.1, 0.5, 0.9]), vector()),
  Slice: () => tf.slice(matrix(), [0, 1], [3, 2]),
  SpaceToBatchND: () => tf.spaceToBatchND(image(1, 4, 4, 1), [2, 2], [[0, 0], [0, 0]]), // prettier-ignore
  SplitV: () => tf.split(matrix(), 2, 1),
  StridedSlice: () => tf.stridedSlice(matrix(), [0, 0], [3, 4], [2, 3]),
  TensorScatterUpdate: () =>
    tf.tensorScatterUpdate(vector(), tf.tensor2d([1, 3], [2, 1], 'int32'), tf.tensor1d([5, 6])),
  Tile: () => tf.tile(matrix(), [2, 1]),
  Transpose: () => tf.transpose(matrix()),
  Unpack: () => tf.unstack(matrix()),
  ZerosLike: () => tf.zerosLike(matrix()),
};

const box3d: [number, number, number] = [2, 2, 2];
const conv = (x: Tensor) => tf.conv2d(x as tf.Tensor4D, image(3, 3, 3, 2), 1, 'same');
const depthwise = (x: Tensor) => tf.depthwiseConv2d(x as tf.Tensor4D, image(3, 3, 3, 2), 1, 'same');
const conv3d = (x: Tensor) => tf.conv3d(x as tf.Tensor5D, volume(2, 2, 2, 2, 3), 1, 'same');
const dilation = (x: Tensor, filter: Tensor) =>
  tf.dilation2d(x as tf.Tensor4D, filter as tf.Tensor3D, 1, 'same');
const dilationFilter = () => uniform([2, 2, 3]);

const networks: Record<string, Call> = {
  AvgPool: () => tf.avgPool(image(), 2, 2, 'valid'),
  AvgPool3D: () => tf.avgPool3d(volume(1, 4, 4, 4, 2), 2, 2, 'valid'),
  AvgPool3DGrad: () =>
    gradient((x) => tf.avgPool3d(x as tf.Tensor5D, 2, 2, 'valid'), volume(1, 4, 4, 4, 2)),
  AvgPoolGrad: () => gradient((x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'), image()),
  BatchMatMul: () => kernel('BatchMatMul', { a: uniform([2, 3, 4]), b: uniform([2, 4, 5]) }, { transposeA: false, transposeB: false }), // prettier-ignore
  Conv2D: () => conv(image()),
  Conv2DBackpropFilter: () =>
    gradient((w) => tf.conv2d(image(), w as tf.Tensor4D, 1, 'same'), image(3, 3, 3, 2)),
  Conv2DBackpropInput: () => gradient(conv, image()),
  Conv3D: () => conv3d(volume(1, 3, 3, 3, 2)),
  Conv3DBackpropFilterV2: () =>
    gradient(
      (w) => tf.conv3d(volume(1, 3, 3, 3, 2), w as tf.Tensor5D, 1, 'same'),
      volume(2, 2, 2, 2, 3),
    ),
  Conv3DBackpropInputV2: () => gradient(conv3d, volume(1, 3, 3, 3, 2)),
  DepthwiseConv2dNative: () => depthwise(image()),
  DepthwiseConv2dNativeBackpropFilter: () =>
    gradient((w) => tf.depthwiseConv2d(image(), w as tf.Tensor4D, 1, 'same'), image(3, 3, 3, 2)),
  DepthwiseConv2dNativeBackpropInput: () => gradient(depthwise, image()),
  Dilation2D: () => dilation(image(), dilationFilter()),
  Dilation2DBackpropFilter: () => gradient((w) => dilation(image(), w), dilationFilter()),
  Dilation2DBackpropInput: () => gradient((x) => dilation(x, dilationFilter()), image()),
  Einsum: () => tf.einsum('ij,kj->ik', matrix(), other()),
  FFT: () => tf.real(tf.spectral.fft(complex())),
  FusedBatchNorm: () => tf.batchNorm(image(), tf.tensor1d([0, 1, 2]), tf.tensor1d([1, 2, 3])),
  FusedConv2D: () =>
    tf.fused.conv2d({ x: image(), filter: image(3, 3, 3, 2), strides: 1, pad: 'same', activation: 'relu', bias: tf.tensor1d([1, 2]) }), // prettier-ignore
  FusedDepthwiseConv2D: () =>
    tf.fused.depthwiseConv2d({ x: image(), filter: image(3, 3, 3, 1), strides: 1, pad: 'same', activation: 'relu6' }), // prettier-ignore
  IFFT: () => tf.real(tf.spectral.ifft(complex())),
  LRN: () => tf.localResponseNormalization(image(), 2),
  LRNGrad: () => gradient((x) => tf.localResponseNormalization(x as tf.Tensor4D, 2), image()),
  MaxPool: () => tf.maxPool(image(), 2, 2, 'same'),
  MaxPool3D: () => tf.maxPool3d(volume(1, 4, 4, 4, 2), box3d, 2, 'valid'),
  MaxPool3DGrad: () =>
    gradient((x) => tf.maxPool3d(x as tf.Tensor5D, box3d, 2, 'valid'), volume(1, 4, 4, 4, 2)),
  MaxPoolGrad: () => gradient((x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'same'), image()),
  MaxPoolWithArgmax: () => {
    const { result, indexes } = tf.maxPoolWithArgmax(image(), 2, 2, 'same');
    return [result, indexes];
  },
  _FusedMatMul: () =>
    tf.fused.matMul({ a: matrix(), b: other(), transposeB: true, activation: 'relu' }),
};

const images: Record<string, Call> = {
  CropAndResize: () => tf.image.cropAndResize(image(), boxes(), ints(0, 1, 0), [3, 3]),
  FlipLeftRight: () => tf.image.flipLeftRight(image()),
  NonMaxSuppressionV3: () => tf.image.nonMaxSuppression(boxes(), tf.tensor1d([0.9, 0.8, 0.7]), 3),
  NonMaxSuppressionV4: () => {
    const result = tf.image.nonMaxSuppressionPadded(boxes(), tf.tensor1d([0.9, 0.8, 0.7]), 3, 0.5, -Infinity, true); // prettier-ignore
    return Object.values(result);
  },
  NonMaxSuppressionV5: () => {
    const result = tf.image.nonMaxSuppressionWithScore(boxes(), tf.tensor1d([0.9, 0.8, 0.7]), 3, 0.5, 0, 0.5); // prettier-ignore
    return Object.values(result);
  },
  ResizeBilinear: () => tf.image.resizeBilinear(image(), [7, 4]),
  ResizeBilinearGrad: () =>
    gradient((x) => tf.image.resizeBilinear(x as tf.Tensor4D, [7, 7]), image(1, 5, 5, 2)),
  ResizeNearestNeighbor: () => tf.image.resizeNearestNeighbor(image(), [7, 4]),
  ResizeNearestNeighborGrad: () =>
    gradient((x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [7, 4]), image()),
  RotateWithOffset: () => tf.image.rotateWithOffset(image(), 0.4),
  Transform: () => tf.image.transform(image(), tf.tensor2d([1, 0, 1, 0, 1, 0, 0, 0], [1, 8])),
};

const splits = () => ints(0, 2, 3);
const indices = () => tf.tensor2d([0, 0, 2, 1], [2, 2], 'int32');

const sparseAndText: Record<string, Call> = {
  RaggedGather: () =>
    kernel('RaggedGather', { paramsNestedSplits: [splits()] as unknown as Tensor, paramsDenseValues: tf.tensor1d([1, 2, 3]), indices: ints(1, 0) }, { outputRaggedRank: 1 }), // prettier-ignore
  RaggedRange: () => kernel('RaggedRange', { starts: ints(0, 5), limits: ints(3, 7), deltas: ints(1, 1) }), // prettier-ignore
  RaggedTensorToTensor: () =>
    kernel('RaggedTensorToTensor', { shape: ints(2, 2), values: tf.tensor1d([1, 2, 3]), defaultValue: tf.scalar(9), rowPartitionTensors: [splits()] as unknown as Tensor }, { rowPartitionTypes: ['ROW_SPLITS'] }), // prettier-ignore
  SparseFillEmptyRows: () =>
    Object.values(tf.sparse.sparseFillEmptyRows(indices(), vector().slice(0, 2), ints(4, 2), tf.scalar(0.5))), // prettier-ignore
  SparseReshape: () => Object.values(tf.sparse.sparseReshape(indices(), ints(3, 4), ints(6, -1))),
  SparseSegmentMean: () => tf.sparse.sparseSegmentMean(matrix(), ints(0, 1), ints(0, 0)),
  SparseSegmentSum: () => tf.sparse.sparseSegmentSum(matrix(), ints(0, 1), ints(0, 0)),
  SparseToDense: () => tf.sparseToDense(ints(1, 3), tf.tensor1d([5, 6]), [4]),
  StaticRegexReplace: () => tf.string.staticRegexReplace(tf.tensor1d(['ab', 'cb']), 'b', 'x'),
  StringNGrams: () =>
    Object.values(tf.string.stringNGrams(tf.tensor1d(['a', 'b', 'c']), ints(0, 3), ' ', [2], '', '', 0, false)), // prettier-ignore
  StringSplit: () =>
    Object.values(tf.string.stringSplit(tf.tensor1d(['a b', 'c']), tf.scalar(' '))),
  StringToHashBucketFast: () => tf.string.stringToHashBucketFast(tf.tensor1d(['a', 'b']), 10),
};

export const calls: Record<string, Call> = {
  ...elementWise,
  ...binary,
  ...reductions,
  ...movement,
  ...networks,
  ...images,
  ...sparseAndText,
};
