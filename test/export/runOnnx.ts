/** Runs a decoded ONNX file with tfjs, by what the operators' definitions say. */
import * as tf from '@tensorflow/tfjs';
import type { OnnxFile, OnnxNode } from './decodeOnnx.js';

type Run = (inputs: tf.Tensor[], node: OnnxNode) => tf.Tensor;

/** @param images [n, h, w, c] */
export function runOnnx(file: OnnxFile, images: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const values = new Map<string, tf.Tensor>([[file.input.name, images]]);
    for (const [name, { values: data, shape }] of file.constants) {
      values.set(name, tf.tensor(Array.from(data, Number), shape));
    }
    for (const node of file.nodes) {
      const inputs = node.inputs.map((name) => values.get(name)!);
      if (!(node.op in operators)) throw new Error(`no operator ${node.op}`);
      values.set(node.outputs[0], operators[node.op](inputs, node));
    }
    return values.get(file.output.name)!;
  });
}

const ints = (node: OnnxNode, name: string) => node.attributes[name] as number[];
const list = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const toNhwc = (x: tf.Tensor) => x.transpose<tf.Tensor4D>([0, 2, 3, 1]);
const toNchw = (x: tf.Tensor) => x.transpose([0, 3, 1, 2]);

/** [n, c, h, w] with `value` around the image, as NHWC. */
function padded(x: tf.Tensor, node: OnnxNode, value: number): tf.Tensor4D {
  const [top, left, bottom, right] = ints(node, 'pads');
  return tf.pad(
    toNhwc(x),
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    value,
  );
}

function conv([x, filter, bias]: tf.Tensor[], node: OnnxNode): tf.Tensor {
  const image = padded(x, node, 0);
  const strides = ints(node, 'strides') as [number, number];
  const dilations = ints(node, 'dilations') as [number, number];
  const { group = 1 } = node.attributes;
  const perGroup = filter.shape[0] / (group as number);
  const sums = tf.split<tf.Tensor4D>(image, group as number, 3).map((part, i) => {
    const own = filter.slice([i * perGroup], [perGroup]).transpose([2, 3, 1, 0]) as tf.Tensor4D;
    return tf.conv2d(part, own, strides, 'valid', 'NHWC', dilations);
  });
  const y = tf.concat(sums, 3);
  return toNchw(bias === undefined ? y : y.add(bias));
}

function averagePool([x]: tf.Tensor[], node: OnnxNode): tf.Tensor {
  const size = ints(node, 'kernel_shape') as [number, number];
  const strides = ints(node, 'strides') as [number, number];
  const mean = (of: tf.Tensor) => tf.avgPool(padded(of, node, 0), size, strides, 'valid');
  return toNchw(mean(x).div(mean(tf.onesLike(x))));
}

function slice([x, starts, ends, axes, steps]: tf.Tensor[]): tf.Tensor {
  let y = x;
  list(axes).forEach((axis, i) => {
    const indices = tf.range(list(starts)[i], list(ends)[i], list(steps)[i], 'int32');
    y = tf.gather(y, indices, axis);
  });
  return y;
}

function pad([x, pads]: tf.Tensor[]): tf.Tensor {
  const sizes = list(pads);
  return tf.pad(
    x,
    x.shape.map((_, axis) => [sizes[axis], sizes[x.rank + axis]] as [number, number]),
  );
}

function reshape([x, shape]: tf.Tensor[]): tf.Tensor {
  return x.reshape(list(shape).map((size, axis) => (size === 0 ? x.shape[axis] : size)));
}

function softmax([x]: tf.Tensor[], node: OnnxNode): tf.Tensor {
  const axis = node.attributes.axis as number;
  const exponentials = x.sub(x.max(axis, true)).exp();
  return exponentials.div(exponentials.sum(axis, true));
}

const operators: Record<string, Run> = {
  Conv: conv,
  MaxPool: ([x], node) =>
    toNchw(
      tf.maxPool(
        padded(x, node, -1e30),
        ints(node, 'kernel_shape') as [number, number],
        ints(node, 'strides') as [number, number],
        'valid',
      ),
    ),
  AveragePool: averagePool,
  GlobalMaxPool: ([x]) => x.max([2, 3], true),
  GlobalAveragePool: ([x]) => x.mean([2, 3], true),
  Gemm: ([x, kernel, bias]) => {
    const sums = tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D);
    return bias === undefined ? sums : sums.add(bias);
  },
  Flatten: ([x]) => x.reshape([x.shape[0], -1]),
  Reshape: reshape,
  Transpose: ([x], node) => x.transpose(ints(node, 'perm')),
  Concat: (inputs, node) => tf.concat(inputs, node.attributes.axis as number),
  Slice: slice,
  Pad: pad,
  Softmax: softmax,
  Identity: ([x]) => x,
  Add: ([a, b]) => a.add(b),
  Mul: ([a, b]) => a.mul(b),
  Greater: ([a, b]) => a.greater(b),
  Cast: ([x]) => x.cast('float32'),
  Where: ([condition, a, b]) => tf.where(condition, a, b),
  Clip: ([x, low, high]) => x.maximum(low).minimum(high),
  Relu: ([x]) => x.relu(),
  LeakyRelu: ([x], node) => tf.leakyRelu(x, node.attributes.alpha as number),
  Elu: ([x]) => x.elu(),
  Neg: ([x]) => x.neg(),
  Abs: ([x]) => x.abs(),
  Sqrt: ([x]) => x.sqrt(),
  Reciprocal: ([x]) => x.reciprocal(),
  Floor: ([x]) => x.floor(),
  Exp: ([x]) => x.exp(),
  Log: ([x]) => x.log(),
  Sigmoid: ([x]) => x.sigmoid(),
  Tanh: ([x]) => x.tanh(),
  Softplus: ([x]) => x.softplus(),
};
