/**
 * Counter-based randomness: each draw is a function of (seed, token index) and of nothing else, so that a reply does not
 * depend on who shares the batch, on how often a step was retried, or on draws that other tokens did not need.
 *
 * The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014). The seed is mixed before the counter is added, so that the sequences of nearby seeds do not
 * overlap.
 */
const mask = (1n << 64n) - 1n;
const golden = 0x9e3779b97f4a7c15n;

function mix(value: bigint): bigint {
  let z = value & mask;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
  return z ^ (z >> 31n);
}

/**
 * A number in [0, 1) with 53 random bits.
 * @param seed a safe integer, negative ones included
 * @param index which generated token it is for, from 0
 */
export function uniform(seed: number, index: number): number {
  const key = mix(BigInt.asUintN(64, BigInt(seed)) + golden);
  return Number(mix(key + golden * (BigInt(index) + 1n)) >> 11n) / 2 ** 53;
}
