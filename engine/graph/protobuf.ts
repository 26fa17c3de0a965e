const encoder = new TextEncoder();

/**
 * Appends protobuf fields to a growing buffer: the five wire forms that ONNX models use.
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
    return this.bytes(field, encoder.encode(value));
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

  private key(field: number, wireType: number): this {
    return this.varint((field << 3) | wireType);
  }

  private varint(value: number | bigint): this {
    this.reserve(10);
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
