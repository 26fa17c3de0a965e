/** Types that the benchmarks' GGUF files store matrices in, with ggml's numbers for them (ggml.h, llama.h `llama_ftype`). */
export const storedTypes = {
  F32: { tensorType: 0, fileType: 0 },
  BF16: { tensorType: 30, fileType: 32 },
  Q8_0: { tensorType: 8, fileType: 7 },
  Q4_0: { tensorType: 2, fileType: 2 },
} as const;
export type StoredType = keyof typeof storedTypes;

/** Weights in a block of Q8_0 or Q4_0, and the bytes of each. */
const blockElements = 32;
const q8Bytes = 34;
const q4Bytes = 18;

/** Little-endian bytes of `values` as ggml stores them. For Q8_0 and Q4_0 their number is a multiple of 32. */
export function encodeWeights(type: StoredType, values: Float32Array): Uint8Array {
  switch (type) {
    case 'F32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'BF16':
      return encodeBfloat16(values);
    case 'Q8_0':
      return encodeQ8(values);
    case 'Q4_0':
      return encodeQ4(values);
  }
}

export function encodedBytes(type: StoredType, elements: number): number {
  if (type === 'Q8_0') return (elements / blockElements) * q8Bytes;
  if (type === 'Q4_0') return (elements / blockElements) * q4Bytes;
  return elements * (type === 'BF16' ? 2 : 4);
}

/** The upper halves, rounded to nearest, ties to even (ggml-impl.h `ggml_compute_fp32_to_bf16`). Weights are finite. */
function encodeBfloat16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) >>> 16;
  return new Uint8Array(halves.buffer);
}

/** Blocks of 32: a half-precision scale, then 32 signed bytes (ggml-quants.c `quantize_row_q8_0_ref`). */
function encodeQ8(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(encodedBytes('Q8_0', values.length));
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < values.length / blockElements; block++) {
    const weights = values.subarray(block * blockElements, (block + 1) * blockElements);
    const largest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
    const scale = Math.fround(largest / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    view.setUint16(block * q8Bytes, halfBits(scale), true);
    for (const [i, weight] of weights.entries()) {
      const scaled = Math.fround(weight * inverse);
      view.setInt8(block * q8Bytes + 2 + i, Math.sign(scaled) * Math.round(Math.abs(scaled)));
    }
  }
  return bytes;
}

/** Blocks of 32: a half-precision scale, then 16 bytes, weight i in the low half of byte i and weight 16 + i in the high one (ggml-quants.c `quantize_row_q4_0_ref`). */
function encodeQ4(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(encodedBytes('Q4_0', values.length));
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < values.length / blockElements; block++) {
    const weights = values.subarray(block * blockElements, (block + 1) * blockElements);
    const extreme = weights.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0);
    const scale = Math.fround(extreme / -8);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const level = (weight: number) => Math.min(15, Math.trunc(Math.fround(Math.fround(weight * inverse) + 8.5)));
    view.setUint16(block * q4Bytes, halfBits(Math.abs(scale)) | (scale < 0 ? 0x8000 : 0), true);
    for (let i = 0; i < blockElements / 2; i++) {
      bytes[block * q4Bytes + 2 + i] = level(weights[i]) | (level(weights[blockElements / 2 + i]) << 4);
    }
  }
  return bytes;
}

/** A non-negative finite number below 65,504 as IEEE half precision, rounded to nearest, ties to even. */
export function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.max(-14, Math.floor(Math.log2(value)));
  const unit = 2 ** (exponent - 10);
  const units = value / unit;
  const whole = Math.floor(units);
  const rest = units - whole;
  const rounded = rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
  // The hidden bit adds one to the exponent field, and a mantissa that rounds up to 2,048 carries into it by itself.
  return ((exponent + 14) << 10) + rounded;
}
