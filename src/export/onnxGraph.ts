/** An ONNX model under construction: nodes, and the arrays they read. Field numbers are those of onnx.proto. */
import { Message } from './protobuf.js';

/** Of the operator set whose definitions the nodes follow, and of the file format that goes with it. */
const opset = 17;
const irVersion = 8;

/** In TensorProto.DataType. */
const [FLOAT, INT64] = [1, 7];

export type AttributeValue = { int: number } | { ints: number[] } | { float: number };

/** A number, or the name of a size that is only known when the model runs. */
export type Size = number | string;

export class OnnxGraph {
  private readonly graph = new Message();
  private names = 0;

  /** Appends a node of one output; returns the output's name. */
  node(op: string, inputs: string[], attributes: Record<string, AttributeValue> = {}): string {
    const output = this.newName();
    const node = new Message();
    inputs.forEach((input) => node.string(1, input));
    node.string(2, output).string(3, `${op}_${output}`).string(4, op);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    this.graph.message(1, node);
    return output;
  }

  /** Adds a constant array; returns its name. */
  floats(values: Float32Array, shape: number[]): string {
    return this.constant(FLOAT, values, shape);
  }

  /** Adds a constant vector, of sizes or axes say; returns its name. */
  integers(values: number[]): string {
    return this.constant(INT64, BigInt64Array.from(values, BigInt), [values.length]);
  }

  input(name: string, shape: Size[]): void {
    this.graph.message(11, valueInfo(name, shape));
  }

  /** Calls a value by the name that readers of the file shall know it by. */
  output(value: string, name: string, shape: Size[]): void {
    this.graph.message(1, new Message().string(1, value).string(2, name).string(4, 'Identity'));
    this.graph.message(12, valueInfo(name, shape));
  }

  /** The whole file. */
  finish(name: string): Uint8Array {
    this.graph.string(2, name);
    return new Message()
      .integer(1, irVersion)
      .string(2, 'tfjs-ftwt')
      .message(7, this.graph)
      .message(8, new Message().string(1, '').integer(2, opset))
      .finish();
  }

  private constant(type: number, values: Float32Array | BigInt64Array, shape: number[]): string {
    const name = this.newName();
    const tensor = new Message();
    shape.forEach((size) => tensor.integer(1, size));
    tensor.integer(2, type).string(8, name);
    // Little-endian, as every platform that Node runs on.
    tensor.bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.graph.message(5, tensor);
    return name;
  }

  private newName(): string {
    return `v${this.names++}`;
  }
}

function attribute(name: string, value: AttributeValue): Message {
  const message = new Message().string(1, name);
  if ('float' in value) return message.float(2, value.float).integer(20, 1);
  if ('int' in value) return message.integer(3, value.int).integer(20, 2);
  value.ints.forEach((int) => message.integer(8, int));
  return message.integer(20, 7);
}

function valueInfo(name: string, shape: Size[]): Message {
  const sizes = new Message();
  for (const size of shape) {
    const dimension = new Message();
    sizes.message(
      1,
      typeof size === 'string' ? dimension.string(2, size) : dimension.integer(1, size),
    );
  }
  const tensor = new Message().integer(1, FLOAT).message(2, sizes);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}
