/** Reads ONNX files back, as onnx.proto defines them. */

/** A field of a message: an integer, or bytes. */
type Field = bigint | Uint8Array;

export interface OnnxTensor {
  shape: number[];
  values: Float32Array | BigInt64Array;
}

export interface OnnxNode {
  op: string;
  name: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, number | number[]>;
}

export interface OnnxValue {
  name: string;
  shape: (number | string)[];
}

export interface OnnxFile {
  irVersion: number;
  opset: number;
  nodes: OnnxNode[];
  constants: Map<string, OnnxTensor>;
  input: OnnxValue;
  output: OnnxValue;
}

/** A message by the numbers of its fields, each with all its values. */
class Fields {
  private readonly fields = new Map<number, Field[]>();

  constructor(bytes: Uint8Array) {
    let offset = 0;
    const varint = () => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = BigInt(bytes[offset++]);
        value |= (byte & 0x7fn) << shift;
        if (byte < 0x80n) return value;
      }
    };
    while (offset < bytes.length) {
      const tag = Number(varint());
      let value: Field;
      if (tag % 8 === 0) {
        value = varint();
      } else {
        const length = tag % 8 === 5 ? 4 : Number(varint());
        value = bytes.subarray(offset, (offset += length));
        if (value.length !== length) throw new Error('a field reaches beyond its message');
      }
      const field = Math.floor(tag / 8);
      this.fields.set(field, [...(this.fields.get(field) ?? []), value]);
    }
  }

  integers(field: number): number[] {
    return (this.fields.get(field) ?? []).map((value) =>
      Number(BigInt.asIntN(64, value as bigint)),
    );
  }

  bytes(field: number): Uint8Array[] {
    return (this.fields.get(field) ?? []) as Uint8Array[];
  }

  strings(field: number): string[] {
    return this.bytes(field).map((bytes) => new TextDecoder().decode(bytes));
  }

  messages(field: number): Fields[] {
    return this.bytes(field).map((bytes) => new Fields(bytes));
  }

  has(field: number): boolean {
    return this.fields.has(field);
  }
}

export function decodeOnnx(file: Uint8Array): OnnxFile {
  const model = new Fields(file);
  const [graph] = model.messages(7);
  const [opset] = model.messages(8);
  const [input] = graph.messages(11).map(valueOf);
  const [output] = graph.messages(12).map(valueOf);
  return {
    irVersion: model.integers(1)[0],
    opset: opset.integers(2)[0],
    nodes: graph.messages(1).map(nodeOf),
    constants: new Map(graph.messages(5).map((tensor) => [tensor.strings(8)[0], tensorOf(tensor)])),
    input,
    output,
  };
}

function nodeOf(node: Fields): OnnxNode {
  return {
    op: node.strings(4)[0],
    name: node.strings(3)[0] ?? '',
    inputs: node.strings(1),
    outputs: node.strings(2),
    attributes: Object.fromEntries(
      node.messages(5).map((attribute) => [attribute.strings(1)[0], attributeOf(attribute)]),
    ),
  };
}

function attributeOf(attribute: Fields): number | number[] {
  const [type] = attribute.integers(20);
  if (type === 1) return floats(attribute.bytes(2)[0])[0];
  return type === 2 ? attribute.integers(3)[0] : attribute.integers(8);
}

function tensorOf(tensor: Fields): OnnxTensor {
  const [bytes] = tensor.bytes(9);
  const values = tensor.integers(2)[0] === 1 ? floats(bytes) : integers(bytes);
  return { shape: tensor.integers(1), values };
}

function valueOf(value: Fields): OnnxValue {
  const [tensor] = value.messages(2)[0].messages(1);
  const sizes = tensor.messages(2)[0].messages(1);
  const shape = sizes.map((size) => (size.has(1) ? size.integers(1)[0] : size.strings(2)[0]));
  return { name: value.strings(1)[0], shape };
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

function integers(bytes: Uint8Array): BigInt64Array {
  return new BigInt64Array(bytes.slice().buffer);
}
