/** Words that labels share without sharing a theme. */
const common = new Set('a an and as at by for from in is it its of on or that the to with'.split(' '));

/** A label as it is compared: its embedding where it has one, int8 of unit length times 127. */
export interface ComparedLabel {
  readonly text: string;
  readonly embedding: Int8Array | null;
}

/** By `meaning`: cosine of embeddings. By `words`: shared words, 2·|A∩B| / (|A|+|B|), common ones left out; from 0 to 1. */
export type SimilarityMeasure = 'meaning' | 'words';

/** How alike two labels are; by meaning both must have an embedding. */
export function labelSimilarity(a: ComparedLabel, b: ComparedLabel, measure: SimilarityMeasure): number {
  if (measure === 'words') return sharedWords(a.text, b.text);
  return a.embedding && b.embedding ? cosine(a.embedding, b.embedding) : Number.NaN;
}

function sharedWords(a: string, b: string): number {
  const [first, second] = [wordsOf(a), wordsOf(b)];
  const shared = [...first].filter((word) => second.has(word)).length;
  // Labels of common words alone are compared as they stand.
  if (first.size + second.size === 0) return a.trim().toLowerCase() === b.trim().toLowerCase() ? 1 : 0;
  return (2 * shared) / (first.size + second.size);
}

function wordsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => !common.has(word)));
}

function cosine(a: Int8Array, b: Int8Array): number {
  let [product, lengthA, lengthB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    product += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  return lengthA === 0 || lengthB === 0 ? 0 : product / Math.sqrt(lengthA * lengthB);
}
