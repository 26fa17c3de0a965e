/**
 * Q4_K and Q5_K keep eight 6-bit scales and eight 6-bit minima, one of each for 32 weights, in 12 bytes: bytes 0–3 hold scales 0–3 and
 * bytes 4–7 minima 0–3 in their lower six bits. Byte 8 + j holds the lower four bits of scale 4 + j (low nibble) and of minimum 4 + j
 * (high nibble), whose upper two bits are the top bits of bytes j and 4 + j.
 *
 * `group` is 0…7, `at` where the 12 bytes begin.
 */
export function sixBitScale(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + group] & 63;
  return (bytes[at + 4 + group] & 15) | ((bytes[at + group - 4] >> 6) << 4);
}

/** The minimum of a group of 32; see sixBitScale. */
export function sixBitMinimum(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + 4 + group] & 63;
  return (bytes[at + 4 + group] >> 4) | ((bytes[at + group] >> 6) << 4);
}
