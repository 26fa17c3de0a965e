import type { Passage } from './passage.ts';

/** With fewer there is nothing to hold out: the same passages are shown and judged, and scores say so. */
export const fewestToSplit = 8;

export interface SplitPassages {
  /** What a label is made from, strongest first. */
  readonly shown: readonly Passage[];
  /** What a label made here has never seen; empty where there are too few to split. */
  readonly heldOut: readonly Passage[];
}

/** Every second passage is held out, so that both parts go from the strongest to the weakest. */
export function splitPassages(passages: readonly Passage[]): SplitPassages {
  if (passages.length < fewestToSplit) return { shown: passages, heldOut: [] };
  return {
    shown: passages.filter((_, rank) => rank % 2 === 0),
    heldOut: passages.filter((_, rank) => rank % 2 === 1),
  };
}
