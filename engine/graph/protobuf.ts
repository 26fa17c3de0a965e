const encoder = new TextEncoder();

/**
 * Appends protobuf fields to a growing buffer: the five wire forms that ONNX models use. A graph is some ten thousand fields,
 * written on the event loop: names are ASCII and numbers small nearly always, and those take a short way.
 * https://protobuf.dev/programming-guides/encoding/
 */
export class ProtobufWriter {
  private buffer: Uint8Array;
  private length = 0;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
  }

  /** Varint field; negative numbers as 64-bit two's complement. */
  integer(field: number, value: number | bigint): this {
    return this.key(field, 0).varint(value);
  }

  string(field: number, value: string): this {
    this.key(field, 2).varint(value.length).reserve(value.length);
    const start = this.length;
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at);
      if (code > 127) return this.rewriteString(start, value);
      this.buffer[start + at] = code;
    }
    this.length = start + value.length;
    return this;
  }

  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.finish());
  }

  float(field: number, value: number): this {
    this.key(field, 5).reserve(4);
    new DataView(this.buffer.buffer).setFloat32(this.length, value, true);
    this.length += 4;
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.key(field, 2).varint(value.length).reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
    return this;
  }

  packedIntegers(field: number, values: readonly number[]): this {
    const packed = new ProtobufWriter(values.length * 10 + 1);
    for (const value of values) packed.varint(value);
    return this.message(field, packed);
  }

  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  /** A string that is longer in UTF-8 than in characters: its length, written before it, was wrong. */
  private rewriteString(start: number, value: string): this {
    this.length = start - varintLength(value.length);
    const utf8 = encoder.encode(value);
    this.varint(utf8.length).reserve(utf8.length);
    this.buffer.set(utf8, this.length);
    this.length += utf8.length;
    return this;
  }

  private key(field: number, wireType: number): this {
    return this.varint((field << 3) | wireType);
  }

  private varint(value: number | bigint): this {
    this.reserve(10);
    if (typeof value === 'number' && value >= 0 && value < 2 ** 31) {
      let small = value;
      while (small > 127) {
        this.buffer[this.length++] = (small & 127) | 128;
        small >>>= 7;
      }
      this.buffer[this.length++] = small;
      return this;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.buffer[this.length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest);
    return this;
  }

  private reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + count));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}

function varintLength(value: number): number {
  return value < 128 ? 1 : 1 + varintLength(Math.floor(value / 128));
}
