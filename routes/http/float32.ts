import { TillerError } from '../../engine/core/index.ts';

const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Base64 of little-endian float32 as floats. Throws `invalid_request` where the text is not that, `edit_not_applicable` where
 * a float is not finite.
 */
export function decodeFloat32(text: string, param: string): Float32Array {
  if (text.length % 4 !== 0 || !base64.test(text)) {
    throw new TillerError('invalid_request', `'${param}' is not base64 (standard alphabet, padded).`, { param });
  }
  const bytes = Buffer.from(text, 'base64');
  if (bytes.byteLength === 0 || bytes.byteLength % Float32Array.BYTES_PER_ELEMENT !== 0) {
    const message = `'${param}' holds ${bytes.byteLength} bytes, which is not a whole number of float32.`;
    throw new TillerError('invalid_request', message, { param });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const floats = new Float32Array(bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
  for (let index = 0; index < floats.length; index++) {
    const float = view.getFloat32(index * Float32Array.BYTES_PER_ELEMENT, true);
    if (!Number.isFinite(float)) {
      const message = `'${param}' has a number that is not finite at index ${index}: no edit can be made of it.`;
      throw new TillerError('edit_not_applicable', message, { param });
    }
    floats[index] = float;
  }
  return floats;
}

/** Floats as base64 of little-endian float32. */
export function encodeFloat32(values: Float32Array): string {
  const bytes = Buffer.alloc(values.length * Float32Array.BYTES_PER_ELEMENT);
  values.forEach((value, index) => {
    bytes.writeFloatLE(value, index * Float32Array.BYTES_PER_ELEMENT);
  });
  return bytes.toString('base64');
}
