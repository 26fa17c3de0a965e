import MiniSearch from 'minisearch';
import type { Label } from './store/index.ts';

/** Labels by feature index. A feature may have none or several. */
export type Labels = ReadonlyMap<number, readonly Label[]>;

export interface LabelMatch {
  readonly index: number;
  /** BM25+ over the label's words; only comparable within one search. */
  readonly score: number;
  /** Of the clearest label that was searched; 0 where none says. */
  readonly clarity: number;
}

export interface LabelIndex {
  /** Matches, best first; equal scores by clarity, then by index. */
  search(text: string): LabelMatch[];
}

/** Words shorter than this are not taken for the beginning of a longer one. */
const shortestPrefix = 3;

/**
 * Text search over the labels of one source: case and accents folded, plurals and a few endings stemmed, the beginning of a
 * word found too (and counted less).
 */
export function createLabelIndex(labels: Labels): LabelIndex {
  const index = new MiniSearch<{ id: number; text: string }>({ fields: ['text'], processTerm: stem });
  index.addAll([...labels].map(([id, list]) => ({ id, text: list.map(({ text }) => text).join('\n') })));
  const clarityOf = (id: number) => Math.max(0, ...(labels.get(id) ?? []).map(({ clarity }) => clarity ?? 0));
  return {
    search: (text) =>
      index
        .search(text, { prefix: (term) => term.length >= shortestPrefix, weights: { prefix: 0.4, fuzzy: 0 } })
        // Rounded, so that equal labels tie whatever order their sums were taken in.
        .map(({ id, score }) => ({
          index: Number(id),
          score: Number(score.toFixed(6)),
          clarity: clarityOf(Number(id)),
        }))
        .sort((a, b) => b.score - a.score || b.clarity - a.clarity || a.index - b.index),
  };
}

/** Whether anything is left of a query once it is taken apart. */
export function hasWords(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

/** A word without case, accents and the commonest English endings. Both labels and queries go through it. */
export function stem(word: string): string {
  const folded = word
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/['’]s$/, '');
  return folded
    .replace(/(.{2,})ies$/, '$1y')
    .replace(/(.{2,}(?:s|x|z|ch|sh))es$/, '$1')
    .replace(/(.{2,}[^su])s$/, '$1');
}
