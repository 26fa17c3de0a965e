import { noStoredLinears, type StoredLinears, type WeightsFile } from '../checkpoint/index.ts';
import {
  type BlockStore,
  type Executor,
  type ExecutorStatistics,
  hookPointShapes,
  hookPointWidth,
  type LogitsRow,
  type ModelConfig,
  type OperatorSet,
  type PreparedSites,
  type RowResult,
  type RowStep,
  type StepKind,
  type StepPlan,
  TillerError,
  type UnembeddingKind,
} from '../core/index.ts';
import {
  blocksNeeded,
  type GraphOptions,
  type KeyValueType,
  type LinearOptions,
  type OpenSites,
} from '../graph/index.ts';
import { fillEncoders, readEncoders } from './bound-encoders.ts';
import { BuildQueue } from './build-queue.ts';
import { checkEncoder } from './check-encoder.ts';
import { checkPlan } from './check-plan.ts';
import { EditMemories } from './edit-memories.ts';
import { defaultEncoderBytes } from './encoder-budget.ts';
import { EncoderMemories } from './encoder-memories.ts';
import type { EncoderMemory } from './encoder-memory.ts';
import { RuntimeEnvironment } from './environment.ts';
import { fillEntries, fillInputs, fillReplacements, readLogits, readTaps, wantedPositions } from './feeds.ts';
import { KeyValueCache } from './key-value-cache.ts';
import { joinTokens, splitTokens } from './mixed-step.ts';
import { NativeMemory } from './native-memory.ts';
import { PrefixBlocks } from './prefix-blocks.ts';
import { StepCache } from './step-cache.ts';
import { encodersOf, type PlacedEncoder } from './step-encoders.ts';
import { Undo } from './undo.ts';
import { Unembedder } from './unembedder.ts';
import { defaultKeptVariants, type Variant, Variants } from './variants.ts';
import { WeightStore } from './weight-store.ts';

export interface ExecutorOptions {
  readonly config: ModelConfig;
  readonly weights: WeightsFile;
  /** How linear layers are computed; as float32 when not given. */
  readonly linears?: StepLinears;
  /**
   * The same for steps of one token, where that is faster and gives the same but for rounding: such a step is bound by how fast
   * weights come from memory.
   */
  readonly oneTokenLinears?: StepLinears;
  /** Rows of the KV cache: the most requests in progress at once. */
  readonly slots: number;
  /** Tokens a slot can hold. */
  readonly context: number;
  readonly threads: number;
  /** Most tokens that one prefill step takes; GroupQueryAttention's scratch memory grows with it. */
  readonly maxChunk?: number;
  /**
   * `common`: builds, behind the first requests, a variant with every hook point open. It serves any steering at once, while
   * the variant that opens just what is needed is being built. `none` (default): a request waits for its variant.
   */
  readonly warmUp?: 'none' | 'common';
  /** The library of Tiller's own operators (kernels.ts `compileKernels`); null (default): ONNX Runtime's do the same, slower. */
  readonly kernels?: string | null;
  /** What keys and values are kept as; half precision needs `kernels`. Default float32. */
  readonly keyValueType?: KeyValueType;
  /** Most bytes that encoders may hold in memory together; default 1 GiB. Taken as they are needed. */
  readonly encoderBytes?: number;
  /** How many variants stay loaded besides those kept for good. */
  readonly keptVariants?: number;
}

/** Linear layers that are stored in a form of their own, and what products over blocks are computed in. */
export interface StepLinears {
  readonly stored: StoredLinears;
  readonly blockInput: LinearOptions['blockInput'];
}

const float32Linears: StepLinears = { stored: noStoredLinears, blockInput: 'float32' };

/** Long enough that matrices are used well, short enough that rows that decode wait little: about 130 ms on two cores. */
const defaultMaxChunk = 128;

/**
 * Executor over ONNX Runtime. Runs one step at a time, in the order they are given; the closed variant (no edits, no taps) is
 * built before it is handed out.
 */
export async function openExecutor(options: ExecutorOptions): Promise<Executor> {
  const executor = new OnnxExecutor(options);
  try {
    await executor.prepare({ edits: [], taps: [] });
    if (options.warmUp === 'common') executor.warmUp();
  } catch (error) {
    await executor.close();
    throw error;
  }
  return executor;
}

class OnnxExecutor implements Executor {
  readonly slots: number;
  readonly context: number;
  readonly maxChunk: number;
  readonly ragged: boolean;
  readonly tokenBytes: number;
  readonly blocks: BlockStore;
  private readonly environment: RuntimeEnvironment;
  private readonly config: ModelConfig;
  private readonly weights: WeightStore;
  private readonly cache: KeyValueCache;
  private readonly prefixBlocks: PrefixBlocks;
  private readonly variants: Variants;
  /** The same for steps of one token, where those are computed in another way. */
  private readonly oneTokenVariants: Variants | null;
  private readonly unembedder: Unembedder;
  private readonly steps: StepCache;
  private readonly encoders: EncoderMemories;
  private readonly operators: OperatorSet;
  private readonly edits: Readonly<Record<'prefill' | 'decode', EditMemories>>;
  /** Room for the logits of as many positions as one step can ask for; pages are committed as they are used. */
  private readonly logits: NativeMemory;
  private readonly widthOf: (hookPoint: string) => number | undefined;
  private runs = 0;
  /** Hook points that the rows of the last decode step edited, and those whose values they replaced. */
  private open: { readonly edits: ReadonlySet<string>; readonly replaced: ReadonlySet<string> } = {
    edits: new Set(),
    replaced: new Set(),
  };
  /** Settles with the last run given so far. */
  private running: Promise<unknown> = Promise.resolve();
  /** Settles when the logits of all vectors given so far have been read. */
  private unembedding: Promise<unknown> = Promise.resolve();
  /** Settles when every variant evicted so far is closed. */
  private evicted: Promise<unknown> = Promise.resolve();
  private closed: Promise<void> | null = null;

  constructor(options: ExecutorOptions) {
    const { config, slots, context } = options;
    this.config = config;
    this.slots = slots;
    this.context = context;
    this.maxChunk = Math.min(options.maxChunk ?? defaultMaxChunk, context);
    const linears = options.linears ?? float32Linears;
    const { oneTokenLinears, kernels = null, keyValueType = 'float32' } = options;
    this.ragged = kernels !== null;
    const graph: GraphOptions = { operators: kernels === null ? 'onnxruntime' : 'tiller', keyValueType };
    const stored = [linears.stored, ...(oneTokenLinears ? [oneTokenLinears.stored] : [])];
    const undo = new Undo();
    try {
      const environment = RuntimeEnvironment.acquire({ threads: options.threads });
      undo.add(() => environment.release());
      const weights = new WeightStore(environment, options.weights, stored, config, context);
      undo.add(() => weights.close());
      const cache = new KeyValueCache(environment, config, slots + 1, context, keyValueType);
      undo.add(() => cache.close());
      this.logits = NativeMemory.reserve((slots + this.maxChunk) * config.vocabularySize * 4);
      this.environment = environment;
      this.weights = weights;
      this.cache = cache;
    } catch (error) {
      undo.run();
      throw error;
    }
    this.tokenBytes = this.cache.tokenBytes;
    this.prefixBlocks = new PrefixBlocks(this.cache);
    this.blocks = this.blockStore(this.prefixBlocks);
    this.operators = graph.operators;
    const strips = graph.operators === 'tiller';
    this.steps = new StepCache(this.environment, this.cache, this.logits, { ...config, context, strips });
    // whatever a step reads it holds: what is evicted is only bound, and runs no more
    this.encoders = new EncoderMemories(options.encoderBytes ?? defaultEncoderBytes, strips, (memory) => {
      this.steps.drop({ encoder: memory });
      memory.free();
    });
    const shapes = hookPointShapes(config);
    this.widthOf = (hookPoint) => hookPointWidth(shapes, hookPoint);
    const widthOf = (hookPoint: string) => this.widthOf(hookPoint) ?? config.dModel;
    const edits = () =>
      new EditMemories(widthOf, (hookPoint, memory) => {
        this.steps.drop({ hookPoint });
        memory.free();
      });
    this.edits = { prefill: edits(), decode: edits() };
    const builds = new BuildQueue();
    const kept = options.keptVariants ?? defaultKeptVariants;
    const variants = ({ stored, blockInput }: StepLinears) => {
      const { environment, weights } = this;
      const linears = { forms: stored.forms, blockInput };
      const made = { environment, weights, config, context, linears, graph, kernels, builds, kept };
      return new Variants(made, (variant) => this.evict(variant));
    };
    this.variants = variants(linears);
    this.oneTokenVariants = oneTokenLinears ? variants(oneTokenLinears) : null;
    const whole = { forms: linears.stored.forms, blockInput: linears.blockInput };
    const { environment, weights } = this;
    this.unembedder = new Unembedder({ environment, weights, config, linears: whole, graph, kernels, builds });
  }

  async prepare(sites: PreparedSites): Promise<void> {
    this.refuseIfClosed();
    const edits = new Set(sites.edits);
    const taps = new Set(sites.taps);
    const { tapsOnly = false, encodings, startsAt } = sites;
    const replaced = new Set(sites.replaced);
    for (const { encoder } of encodings ?? []) checkEncoder(encoder, this.widthOf);
    const needed = encodersOf([{ encodings }], this.operators);
    const encoders = new Set(needed.map(({ site }) => site));
    // Read now, so that no step waits for it; whoever needs the room meanwhile may take it.
    (await this.encoders.hold(needed.map(({ encoder }) => encoder))).release();
    if (startsAt !== undefined) return this.variants.ensure({ edits, taps, encoders, replaced, startsAt });
    const own: OpenSites = { edits, taps, encoders, replaced, tapsOnly };
    for (const variants of [this.variants, this.oneTokenVariants]) {
      for (const each of tapsOnly ? [own] : this.stepsOf(own)) await variants?.ensure(each);
    }
  }

  /**
   * What steps a row will be in. It shares them with the rows that run now: what opens the hook points of both serves either alone, too,
   * unless they are many; then the others are what the row needs while it is alone. Edits, or what stands in for values, may touch none of
   * a step's tokens: it is then without them.
   */
  private stepsOf({ edits, replaced = new Set(), ...own }: OpenSites): OpenSites[] {
    if (edits.size === 0 && replaced.size === 0) return [{ ...own, edits, replaced }];
    const all = {
      edits: edits.size === 0 ? edits : new Set([...edits, ...this.open.edits]),
      replaced: new Set([...replaced, ...this.open.replaced]),
    };
    const alone = replaced.size === 0 ? [] : [{ edits, replaced: new Set<string>() }];
    const unedited = replaced.size === 0 || edits.size === 0 ? [] : [{ edits: new Set<string>(), replaced }];
    return [all, { edits, replaced }, ...alone, ...unedited].map((sites) => ({ ...own, ...sites }));
  }

  /** Begins to build what serves any steering. A failure is no loss: what is needed is then built when it is needed. */
  warmUp(): void {
    for (const variants of [this.variants, this.oneTokenVariants]) variants?.openAll().catch(() => undefined);
  }

  async run(plan: StepPlan): Promise<readonly RowResult[]> {
    this.refuseIfClosed();
    checkPlan(plan, this);
    return this.inTurn(() => this.execute(plan));
  }

  async unembed<Result>(
    kind: UnembeddingKind,
    vectors: Float32Array,
    read: (rows: readonly LogitsRow[]) => Result | Promise<Result>,
  ): Promise<Result> {
    this.refuseIfClosed();
    // no step waits for a graph that is being built
    await this.unembedder.prepare(kind);
    this.refuseIfClosed();
    const done = this.unembedding.then(async () => read(await this.inTurn(() => this.unembedder.run(kind, vectors))));
    this.unembedding = done.catch(() => undefined);
    return done;
  }

  /** Runs `work` after everything given before it: steps and copies never overlap, and `close` waits for them. */
  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.running.then(work);
    this.running = done.catch(() => undefined);
    return done;
  }

  private async execute(plan: StepPlan): Promise<readonly RowResult[]> {
    const mixed = plan.kind === 'mixed';
    const rows = mixed ? splitTokens(plan.rows) : plan.rows;
    const needed = encodersOf(plan.rows, this.operators);
    const held = await this.encoders.hold(needed.map(({ encoder }) => encoder));
    try {
      const encoders = needed.map((each, at) => ({ ...each, memory: held.memories[at] as EncoderMemory }));
      const results = await this.executeRows(plan.kind, rows, encoders);
      return mixed ? joinTokens(plan.rows, results) : results;
    } finally {
      held.release();
    }
  }

  private async executeRows(
    kind: StepKind,
    rows: readonly RowStep[],
    encoders: readonly PlacedEncoder[],
  ): Promise<readonly RowResult[]> {
    const memories = this.edits[kind === 'prefill' ? 'prefill' : 'decode'];
    const edits = memories.sort(rows);
    const sites: OpenSites = {
      edits: new Set(edits.sites.keys()),
      taps: new Set(rows.flatMap((row) => row.taps)),
      encoders: new Set(encoders.map(({ site }) => site)),
      replaced: new Set(rows.flatMap(({ replacements = [] }) => replacements.map(({ hookPoint }) => hookPoint))),
      tapsOnly: rows.every(({ logits }) => logits === 'never'),
      startsAt: rows[0]?.entry?.block,
    };
    const begins = sites.startsAt !== undefined;
    if (kind !== 'prefill' && !begins) this.open = { edits: sites.edits, replaced: sites.replaced ?? new Set() };
    const oneToken = rows.length === 1 && rows[0]?.tokens.length === 1 && !begins;
    const variants = (oneToken ? this.oneTokenVariants : null) ?? this.variants;
    const variant = await variants.chooseForStep(sites);
    for (const row of rows) this.cache.depths.note(row.slot, row.start, this.depthOf(row, variant));
    const wanted = wantedPositions(rows);
    const anywhere = this.ragged && kind !== 'prefill';
    const slots = anywhere ? { first: 0, count: this.slots + 1 } : { first: rows[0]?.slot ?? 0, count: rows.length };
    const { step, edits: bound } = this.steps.get({
      variant,
      kind,
      slots,
      rows,
      logitRows: Math.max(1, wanted.length),
      memories: memories.hold(variant.sites.edits, edits),
      encoders,
    });
    fillInputs(step, rows, wanted, slots.first);
    for (const row of rows) this.cache.noteWrite(row.slot, row.start + row.tokens.length);
    bound.writeMasks(rows, edits);
    fillEncoders(step, rows, encoders);
    fillEntries(step, rows);
    fillReplacements(step, rows, variant.sites.replaced ?? []);
    await step.run();
    this.runs++;
    const logits = readLogits(step, rows, this.logits.buffer, this.config.vocabularySize);
    const readings = bound.readings();
    return rows.map((row, r) => ({
      requestId: row.requestId,
      logits: logits[r] ?? [],
      readings: readings[r] ?? [],
      taps: readTaps(step, row, r, rows.length),
      activations: readEncoders(step, row, r, encoders),
    }));
  }

  /**
   * How many blocks of a row are written that may be relied on. One that wants no logits may share a step that runs more blocks than the
   * steps before it did: what those make of it is wanted by nobody.
   */
  private depthOf({ logits, taps, encodings = [], entry }: RowStep, { sites, graph }: Variant): number {
    // the first ones are missing
    if (entry) return 0;
    if (logits !== 'never' || sites.tapsOnly) return graph.blocks;
    return blocksNeeded([...taps, ...encodings.map(({ encoder }) => encoder.hookPoint)], this.config.blocks);
  }

  async copySlot(from: number, to: number, tokens: number): Promise<void> {
    this.refuseIfClosed();
    return this.inTurn(() => this.cache.copySlot(from, to, tokens));
  }

  /** Does nothing once the executor is closed: all memory is given back then. */
  freeSlot(slot: number): void {
    if (!this.closed) this.inTurn(() => this.cache.freeSlot(slot)).catch(() => undefined);
  }

  private blockStore(blocks: PrefixBlocks): BlockStore {
    return {
      blockTokens: blocks.blockTokens,
      blockBytes: blocks.blockBytes,
      save: async (slot, start, count) => {
        this.refuseIfClosed();
        return this.inTurn(() => blocks.save(slot, start, count));
      },
      load: async (slot, start, numbers) => {
        this.refuseIfClosed();
        return this.inTurn(() => blocks.load(slot, start, numbers));
      },
      free: (block) => {
        if (!this.closed) blocks.free(block);
      },
    };
  }

  statistics(): ExecutorStatistics {
    const sum = (count: (variants: Variants) => number) =>
      count(this.variants) + (this.oneTokenVariants ? count(this.oneTokenVariants) : 0);
    return {
      runs: this.runs,
      variantsBuilt: sum(({ counts }) => counts.built),
      variantsCached: sum(({ size }) => size),
      variantsEvicted: sum(({ counts }) => counts.evicted),
      variantFallbackSteps: sum(({ counts }) => counts.fallbackSteps),
      variantBuildMilliseconds: sum(({ counts }) => counts.buildMilliseconds),
    };
  }

  /** Takes no more steps, lets those given finish, and gives everything back. Safe to call again. */
  close(): Promise<void> {
    this.closed ??= this.release();
    return this.closed;
  }

  private async release(): Promise<void> {
    await this.running;
    await this.unembedding;
    await this.variants.close();
    await this.oneTokenVariants?.close();
    await this.unembedder.close();
    await this.evicted;
    this.steps.clear();
    await this.encoders.close();
    for (const edits of Object.values(this.edits)) edits.close();
    this.prefixBlocks.close();
    this.cache.close();
    this.logits.free();
    this.weights.close();
    this.environment.release();
  }

  /** A variant is closed only after the run that may have chosen it, and after everything bound to it. */
  private evict(variant: Variant): void {
    this.evicted = Promise.all([this.evicted, this.running]).then(() => {
      this.steps.drop({ variant });
      variant.session.close();
    });
  }

  private refuseIfClosed(): void {
    if (this.closed) throw new TillerError('step_failed', 'The model has been unloaded.');
  }
}
