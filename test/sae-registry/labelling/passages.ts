import type { Passage } from '../../../sae-registry/labelling/passage.ts';

/** A passage of words, firing where a word stands in brackets: `the [cat] sat`. */
export function passage(text: string, peak = 10): Passage {
  const words = text.split(' ');
  return {
    tokens: words.map((word, i) => `${i === 0 ? '' : ' '}${word.replace(/[[\]]/g, '')}`),
    values: Float32Array.from(words, (word) => (word.startsWith('[') ? peak : 0)),
    peak,
  };
}
