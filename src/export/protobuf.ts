/** Protocol buffers' wire format, as far as ONNX needs it: fields are written in the order of the calls. */

const encoder = new TextEncoder();

export class Message {
  private readonly chunks: Uint8Array[] = [];
  private length = 0;

  /** An int64, int32, bool or enum; negative ones take ten bytes. */
  integer(field: number, value: number): this {
    return this.push(tag(field, 0)).push(varint(BigInt.asUintN(64, BigInt(value))));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.push(tag(field, 5)).push(bytes);
  }

  /** Not copied: must not change before `finish`. */
  bytes(field: number, value: Uint8Array): this {
    return this.push(tag(field, 2))
      .push(varint(BigInt(value.length)))
      .push(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  message(field: number, value: Message): this {
    this.push(tag(field, 2)).push(varint(BigInt(value.length)));
    value.chunks.forEach((chunk) => this.push(chunk));
    return this;
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.length);
    let offset = 0;
    for (const chunk of this.chunks) {
      result.set(chunk, offset);
      offset += chunk.length;
    }
    return result;
  }

  private push(chunk: Uint8Array): this {
    this.chunks.push(chunk);
    this.length += chunk.length;
    return this;
  }
}

function tag(field: number, wireType: number): Uint8Array {
  return varint(BigInt(field * 8 + wireType));
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.of(...bytes, Number(rest));
}
