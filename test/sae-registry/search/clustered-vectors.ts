import { seededRandom } from '../../../bench/random.ts';
import { toEightBits, toUnit } from '../../../sae-registry/embedder/embedding.ts';

/** Unit vectors in clusters, as embeddings of texts lie: `count` of them around `clusters` centres. */
export function clusteredVectors(count: number, clusters: number, seed = 1): Float32Array[] {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const centres = Array.from({ length: clusters }, () => Float32Array.from({ length: 384 }, normal));
  return Array.from({ length: count }, () => {
    const centre = centres[Math.floor(random() * clusters)] as Float32Array;
    return toUnit(centre.map((value) => value + 0.9 * normal()));
  });
}

export const eightBits = (vectors: readonly Float32Array[]) => vectors.map(toEightBits);
