/** Floats as the store keeps them: little-endian float32. */
export function toBlob(values: Float32Array): Buffer {
  const blob = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => {
    blob.writeFloatLE(value, at * 4);
  });
  return blob;
}

/** The floats of a blob, in memory of their own. */
export function fromBlob(blob: Buffer): Float32Array {
  return Float32Array.from({ length: blob.byteLength / 4 }, (_, at) => blob.readFloatLE(at * 4));
}
