import type { Edit } from './edit.ts';

/** One read without a write: what conditions compare. a = x·direction + bias, on the stream before any edit at the hook point. */
export interface Probe {
  /** Canonical spelling; where edits can be made. */
  readonly hookPoint: string;
  /** As many floats as the hook point is wide. */
  readonly direction: Float32Array;
  readonly bias: number;
  /** A reading that is not above it counts as 0, as a feature's activation does; −∞: the reading itself. */
  readonly threshold: number;
  /** Tokens whose stream norm exceeds this are not read (attention sinks); +∞ where that does not apply. */
  readonly sinkNorm: number;
  /** The reading is divided by the norm of the stream: the cosine, for a unit direction without a bias. */
  readonly perNorm: boolean;
}

/** What becomes of the readings of a prompt: that of its last token, or the mean or the largest over all but its first. */
export const promptAggregates = ['last', 'mean', 'max'] as const;
export type PromptAggregate = (typeof promptAggregates)[number];

/** A comparison of one reading with a number. */
export interface Comparison {
  readonly kind: 'compare';
  /** Index into the probes. */
  readonly probe: number;
  /** Each token of the reply as it is read, or the prompt, once, at its end. */
  readonly over: 'token' | PromptAggregate;
  /** > or <. */
  readonly above: boolean;
  /** In the probe's own units. */
  readonly threshold: number;
}

/** A boolean expression over comparisons, in whatever form these are. */
export type ConditionTree<Leaf extends { readonly kind: 'compare' }> =
  | { readonly kind: 'all' | 'any'; readonly of: readonly ConditionTree<Leaf>[] }
  | { readonly kind: 'not'; readonly of: ConditionTree<Leaf> }
  | Leaf;

/** A boolean expression over readings. */
export type Condition = ConditionTree<Comparison>;

/** The comparisons of a condition, in their order. */
export function comparisonsOf<Leaf extends { readonly kind: 'compare' }>(tree: ConditionTree<Leaf>): readonly Leaf[] {
  if (tree.kind === 'compare') return [tree];
  return tree.kind === 'not' ? comparisonsOf<Leaf>(tree.of) : tree.of.flatMap((one) => comparisonsOf<Leaf>(one));
}

/** The same expression over what its comparisons become. */
export function mapComparisons<Leaf extends { readonly kind: 'compare' }, Other extends { readonly kind: 'compare' }>(
  tree: ConditionTree<Leaf>,
  change: (leaf: Leaf) => Other,
): ConditionTree<Other> {
  if (tree.kind === 'compare') return change(tree);
  if (tree.kind === 'not') return { kind: 'not', of: mapComparisons(tree.of, change) };
  return { kind: tree.kind, of: tree.of.map((one) => mapComparisons(one, change)) };
}

/**
 * Edits that hold only while a condition does. The verdict through token t gates token t + 1: what a rule writes first is
 * never the token that it was judged by, and never one of the prompt.
 */
export interface Rule {
  readonly when: Condition;
  /** Once true, true for the rest of the reply; one latch for all the rule's edits. */
  readonly latch: boolean;
  readonly edits: readonly Edit[];
  /** Ends the reply where the condition first holds. */
  readonly stop: boolean;
  /** Where it stood in the request: `steering.rules[0]`. */
  readonly param: string;
}

/** The rules of a request, and what their conditions read. */
export interface RuleSet {
  readonly probes: readonly Probe[];
  readonly rules: readonly Rule[];
}
