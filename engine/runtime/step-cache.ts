import { LRUCache } from 'lru-cache';
import type { RowStep, StepKind } from '../core/index.ts';
import { editPorts, encoderPorts, keyDimension, ports } from '../graph/index.ts';
import type { EditLayout } from '../steering/index.ts';
import { BoundEdits } from './bound-edits.ts';
import { BoundStep, type DimensionSizes } from './bound-step.ts';
import type { EditMemory } from './edit-memory.ts';
import type { EncoderMemory } from './encoder-memory.ts';
import type { RuntimeEnvironment } from './environment.ts';
import type { KeyValueCache } from './key-value-cache.ts';
import type { NativeMemory } from './native-memory.ts';
import type { PlacedEncoder } from './step-encoders.ts';
import { TensorView } from './tensor.ts';
import type { Variant } from './variants.ts';

/** Shapes of steps kept bound. Decode steps need one for each number of rows. */
const keptSteps = 48;

/** Taps that show keys have room for a multiple of so many: a row that grows is bound anew only when it outgrows that. */
const keyUnit = 64;

/** Slots of the cache that follow each other. */
export interface SlotRange {
  readonly first: number;
  readonly count: number;
}

/** A step bound to memory, and its edits. */
export interface PreparedStep {
  readonly step: BoundStep;
  readonly edits: BoundEdits;
  readonly encoders: readonly PlacedEncoder[];
}

/** What a step is bound to besides its variant and its shape. */
export interface StepPlace {
  readonly variant: Variant;
  /** Prompts and decoding rows have edits of their own. */
  readonly kind: StepKind;
  /** The cache's slots that the step sees. */
  readonly slots: SlotRange;
  readonly rows: readonly RowStep[];
  /** Positions that logits are computed for. */
  readonly logitRows: number;
  /** Of the hook points that the variant opens, laid out for this step. */
  readonly memories: readonly EditMemory[];
  /** Encoders of the step's rows. */
  readonly encoders: readonly PlacedEncoder[];
}

export interface StepCacheOptions {
  readonly vocabularySize: number;
  readonly context: number;
  /** Whether encoders lie as Tiller's own operator wants them. */
  readonly strips: boolean;
}

/** Steps bound to memory, the most recently used ones: a step of a shape that came before binds nothing. */
export class StepCache {
  private readonly environment: RuntimeEnvironment;
  private readonly cache: KeyValueCache;
  private readonly logits: NativeMemory;
  private readonly vocabularySize: number;
  private readonly context: number;
  private readonly strips: boolean;
  private readonly steps = new LRUCache<string, PreparedStep>({
    max: keptSteps,
    dispose: ({ step }) => step.release(),
  });
  /** The last step whose taps show keys: they take tokens × keys numbers a head, so that no other is kept. */
  private readonly wide = new LRUCache<string, PreparedStep>({ max: 1, dispose: ({ step }) => step.release() });

  constructor(
    environment: RuntimeEnvironment,
    cache: KeyValueCache,
    logits: NativeMemory,
    { vocabularySize, context, strips }: StepCacheOptions,
  ) {
    this.environment = environment;
    this.cache = cache;
    this.logits = logits;
    this.vocabularySize = vocabularySize;
    this.context = context;
    this.strips = strips;
  }

  get(place: StepPlace): PreparedStep {
    const { variant, kind, slots, rows, logitRows, memories, encoders } = place;
    const { length } = (rows[0] as RowStep).tokens;
    const showsKeys = variant.sites.taps.size > 0 && variant.graph.inputs.some(({ name }) => name === ports.keyCount);
    const keys = showsKeys ? shownKeys(rows, this.context) : null;
    // This is asked for at every step: the sizes, by name, are made only for one that is not there.
    let key = `${variant.key}|${kind}|${slots.first}+${slots.count}|${rows.length}|${length}|${logitRows}|${keys}`;
    for (const { layout } of memories) key += `|${(layout as EditLayout).groups}x${(layout as EditLayout).width}`;
    for (const { most, encoder } of encoders) key += `|${encoder.key} ${most}`;
    const kept = showsKeys ? this.wide : this.steps;
    let prepared = kept.get(key);
    // A variant that was evicted and built again is another session.
    const encodersStay = prepared?.encoders.every(({ memory }, at) => memory === encoders[at]?.memory);
    if (prepared?.step.variant !== variant || !encodersStay) {
      this.wide.clear();
      const step = this.bind(variant, slots, sizesOf(place, keys), { memories, encoders });
      prepared = { step, edits: new BoundEdits(step, memories), encoders };
      kept.set(key, prepared);
    }
    return prepared;
  }

  /** Lets go of everything bound to a variant, to the edits at a hook point, or to an encoder's memory. */
  drop(what: Bound): void {
    for (const kept of [this.steps, this.wide]) {
      for (const [key, prepared] of [...kept.entries()]) if (isBound(prepared, what)) kept.delete(key);
    }
  }

  clear(): void {
    this.steps.clear();
    this.wide.clear();
  }

  private bind(
    variant: Variant,
    slots: SlotRange,
    sizes: DimensionSizes,
    { memories, encoders }: Pick<StepPlace, 'memories' | 'encoders'>,
  ): BoundStep {
    const { environment, logits, vocabularySize, strips } = this;
    const window = this.cache.window(slots.first, slots.count);
    const shape = [sizes.R as number, vocabularySize];
    const place = { address: logits.address, byteLength: (shape[0] as number) * vocabularySize * 4 };
    const tables = new Map([
      ...memories.flatMap((memory) => [...memory.tensors(environment)]),
      ...encoders.flatMap(({ memory, site }) => [...memory.tensors(environment, site, strips)]),
    ]);
    const logitsTensor = new TensorView(environment, place, 'float32', shape);
    try {
      return new BoundStep(environment, variant, sizes, {
        inputs: new Map([...window.inputs, ...tables]),
        outputs: new Map([...window.outputs, [ports.logits, logitsTensor]]),
      });
    } finally {
      logitsTensor.release();
      for (const tensor of tables.values()) tensor.release();
    }
  }
}

/** What a step may be bound to that can come to an end before it. */
type Bound = { readonly variant: Variant } | { readonly hookPoint: string } | { readonly encoder: EncoderMemory };

function isBound({ step, encoders }: PreparedStep, what: Bound): boolean {
  if ('variant' in what) return step.variant === what.variant;
  if ('encoder' in what) return encoders.some(({ memory }) => memory === what.encoder);
  return step.variant.sites.edits.has(what.hookPoint);
}

/** Sizes of the dimensions that the graph's ports name. */
function sizesOf({ rows, slots, logitRows, memories, encoders }: StepPlace, keys: number | null): DimensionSizes {
  const { length } = (rows[0] as RowStep).tokens;
  const sizes: Record<string, number> = { B: rows.length, N: slots.count, S: length, R: logitRows };
  if (keys !== null) sizes[keyDimension] = keys;
  for (const { hookPoint, layout } of memories) {
    const { groups, width } = layout as EditLayout;
    const names = editPorts(hookPoint).sizes;
    sizes[names.groups] = groups;
    sizes[names.width] = width;
  }
  for (const { site, most } of encoders) sizes[encoderPorts(site).sizes.most] = most;
  return sizes;
}

/** Keys that taps of these rows have room for: as many as the longest holds after the step, and some more. */
function shownKeys(rows: readonly RowStep[], context: number): number {
  const longest = Math.max(...rows.map(({ start, tokens }) => start + tokens.length));
  return Math.min(context, Math.ceil(longest / keyUnit) * keyUnit);
}
