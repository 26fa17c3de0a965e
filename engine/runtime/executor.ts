import { LRUCache } from 'lru-cache';
import type { FourBitLocation, WeightsFile } from '../checkpoint/index.ts';
import {
  type Executor,
  type ExecutorStatistics,
  type ModelConfig,
  type RowResult,
  type RowStep,
  type StepPlan,
  TillerError,
} from '../core/index.ts';
import { type OpenSites, ports } from '../graph/index.ts';
import { BoundStep, type DimensionSizes } from './bound-step.ts';
import { BuildQueue } from './build-queue.ts';
import { checkPlan } from './check-plan.ts';
import { RuntimeEnvironment } from './environment.ts';
import { type EditGroup, groupEdits, readEdits, readLogits, readTaps, wantedPositions, writeEdits } from './feeds.ts';
import { KeyValueCache } from './key-value-cache.ts';
import { NativeMemory } from './native-memory.ts';
import { TensorView } from './tensor.ts';
import { Undo } from './undo.ts';
import { type Variant, Variants } from './variants.ts';
import { WeightStore } from './weight-store.ts';

export interface ExecutorOptions {
  readonly config: ModelConfig;
  readonly weights: WeightsFile;
  /**
   * Matrices that the checkpoint holds as four-bit blocks, the same weights again. A step of one token reads these: it is
   * bound by how fast weights come from memory. Larger steps read the float32 ones.
   */
  readonly fourBit?: ReadonlyMap<string, FourBitLocation>;
  /** Rows of the KV cache: the most requests in progress at once. */
  readonly slots: number;
  /** Tokens a slot can hold. */
  readonly context: number;
  readonly threads: number;
  /** Most tokens that one prefill step takes; GroupQueryAttention's scratch memory grows with it. */
  readonly maxChunk?: number;
}

/** Long enough that matrices are used well, short enough that rows that decode wait little: about 130 ms on two cores. */
const defaultMaxChunk = 128;
/** Shapes of steps kept bound. Decode steps need one for each number of rows. */
const keptSteps = 48;

/**
 * Executor over ONNX Runtime. Runs one step at a time, in the order they are given; the closed variant (no edits, no taps) is
 * built before it is handed out.
 */
export async function openExecutor(options: ExecutorOptions): Promise<Executor> {
  const executor = new OnnxExecutor(options);
  try {
    await executor.prepare({ edits: [], taps: [] });
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
  private readonly environment: RuntimeEnvironment;
  private readonly config: ModelConfig;
  private readonly weights: WeightStore;
  private readonly cache: KeyValueCache;
  private readonly variants: Variants;
  /** The same over four-bit blocks, for steps of one token; null where the checkpoint has no such blocks. */
  private readonly oneTokenVariants: Variants | null;
  private readonly steps: LRUCache<string, BoundStep>;
  /** Room for the logits of as many positions as one step can ask for; pages are committed as they are used. */
  private readonly logits: NativeMemory;
  private runs = 0;
  /** Hook points that the rows of the last decode step edited. */
  private open: ReadonlySet<string> = new Set();
  /** Settles with the last run given so far. */
  private running: Promise<unknown> = Promise.resolve();
  /** Settles when every variant evicted so far is closed. */
  private evicted: Promise<unknown> = Promise.resolve();
  private closed: Promise<void> | null = null;

  constructor(options: ExecutorOptions) {
    const { config, slots, context } = options;
    this.config = config;
    this.slots = slots;
    this.context = context;
    this.maxChunk = Math.min(options.maxChunk ?? defaultMaxChunk, context);
    const fourBit = options.fourBit ?? new Map<string, FourBitLocation>();
    const undo = new Undo();
    try {
      const environment = RuntimeEnvironment.acquire({ threads: options.threads });
      undo.add(() => environment.release());
      const weights = new WeightStore(environment, options.weights, fourBit, config, context);
      undo.add(() => weights.close());
      const cache = new KeyValueCache(environment, config, slots, context);
      undo.add(() => cache.close());
      this.logits = NativeMemory.reserve(Math.max(slots, this.maxChunk) * config.vocabularySize * 4);
      this.environment = environment;
      this.weights = weights;
      this.cache = cache;
    } catch (error) {
      undo.run();
      throw error;
    }
    this.steps = new LRUCache({ max: keptSteps, dispose: (step) => step.release() });
    const builds = new BuildQueue();
    const variants = (names: readonly string[]) => {
      const { environment, weights } = this;
      const options = { environment, weights, config, context, fourBit: new Set(names), builds };
      return new Variants(options, (variant) => this.evict(variant));
    };
    this.variants = variants([]);
    this.oneTokenVariants = fourBit.size > 0 ? variants([...fourBit.keys()]) : null;
  }

  async prepare(sites: { readonly edits: readonly string[]; readonly taps: readonly string[] }): Promise<void> {
    this.refuseIfClosed();
    const edits = new Set(sites.edits);
    const taps = new Set(sites.taps);
    // A steered row will share steps with the rows that run now: what opens the hook points of both serves either alone, too,
    // unless they are many; then the second line builds what the row needs while it is alone.
    for (const variants of [this.variants, this.oneTokenVariants]) {
      if (edits.size > 0) await variants?.choose({ edits: new Set([...edits, ...this.open]), taps });
      await variants?.choose({ edits, taps });
    }
  }

  async run(plan: StepPlan): Promise<readonly RowResult[]> {
    this.refuseIfClosed();
    checkPlan(plan, this);
    const run = this.running.then(() => this.execute(plan));
    this.running = run.catch(() => undefined);
    return run;
  }

  private async execute(plan: StepPlan): Promise<readonly RowResult[]> {
    const sites: OpenSites = {
      edits: new Set(plan.rows.flatMap((row) => row.edits.map(({ edit }) => edit.hookPoint))),
      taps: new Set(plan.rows.flatMap((row) => row.taps)),
    };
    if (plan.kind === 'decode') this.open = sites.edits;
    const oneToken = plan.rows.length === 1 && plan.rows[0]?.tokens.length === 1;
    const variants = (oneToken ? this.oneTokenVariants : null) ?? this.variants;
    const variant = await variants.chooseForStep(sites);
    const groups = groupEdits(plan.rows, this.config.dModel, variant.sites.edits);
    const wanted = wantedPositions(plan.rows);
    const step = this.bound(variant, plan.rows, Math.max(1, wanted.length), groups);
    this.fill(step, plan.rows, wanted, groups);
    await step.run();
    this.runs++;
    return this.results(step, plan.rows, groups);
  }

  copySlot(from: number, to: number, tokens: number): void {
    this.refuseIfClosed();
    this.cache.copySlot(from, to, tokens);
  }

  /** Does nothing once the executor is closed: all memory is given back then. */
  freeSlot(slot: number): void {
    if (!this.closed) this.cache.freeSlot(slot);
  }

  statistics(): ExecutorStatistics {
    return {
      runs: this.runs,
      variantsBuilt: this.variants.built + (this.oneTokenVariants?.built ?? 0),
      variantsCached: this.variants.size + (this.oneTokenVariants?.size ?? 0),
      keyValueBytes: this.cache.tokenBytes * this.context * this.slots,
    };
  }

  /** Takes no more steps, lets those given finish, and gives everything back. Safe to call again. */
  close(): Promise<void> {
    this.closed ??= this.release();
    return this.closed;
  }

  private async release(): Promise<void> {
    await this.running;
    await this.variants.close();
    await this.oneTokenVariants?.close();
    await this.evicted;
    this.steps.clear();
    this.cache.close();
    this.logits.free();
    this.weights.close();
    this.environment.release();
  }

  private bound(
    variant: Variant,
    rows: readonly RowStep[],
    logitRows: number,
    groups: readonly EditGroup[],
  ): BoundStep {
    const first = rows[0] as RowStep;
    const sizes: Record<string, number> = { B: rows.length, S: first.tokens.length, R: logitRows };
    for (const group of groups) sizes[`edits.${group.hookPoint}`] = group.packed.k;
    const key = `${variant.key}|${first.slot}|${Object.entries(sizes).join('|')}`;
    let step = this.steps.get(key);
    // A variant that was evicted and built again is another session.
    if (step?.variant !== variant) {
      step = this.bind(variant, first.slot, sizes);
      this.steps.set(key, step);
    }
    return step;
  }

  private bind(variant: Variant, firstSlot: number, sizes: DimensionSizes): BoundStep {
    const window = this.cache.window(firstSlot, sizes.B as number);
    const shape = [sizes.R as number, this.config.vocabularySize];
    const place = { address: this.logits.address, byteLength: (shape[0] as number) * this.config.vocabularySize * 4 };
    const logits = new TensorView(this.environment, place, 'float32', shape);
    try {
      return new BoundStep(this.environment, variant, sizes, {
        inputs: window.inputs,
        outputs: new Map([...window.outputs, [ports.logits, logits]]),
      });
    } finally {
      logits.release();
    }
  }

  private fill(
    step: BoundStep,
    rows: readonly RowStep[],
    wanted: readonly number[],
    groups: readonly EditGroup[],
  ): void {
    const length = rows[0]?.tokens.length ?? 0;
    const ids = step.int64(ports.inputIds);
    const lastPositions = step.int32(ports.lastPositions);
    let totalLength = 0;
    for (const [r, row] of rows.entries()) {
      for (let t = 0; t < length; t++) ids[r * length + t] = BigInt(row.tokens[t] as number);
      lastPositions[r] = row.start + length - 1;
      totalLength = Math.max(totalLength, row.start + length);
    }
    step.int32(ports.totalLength)[0] = totalLength;
    // A graph run cannot do without logits: where nobody wants any, those of the last token are computed and not read.
    step.int64(ports.logitIndices).set((wanted.length > 0 ? wanted : [rows.length * length - 1]).map(BigInt));
    for (const group of groups) writeEdits(step, group);
  }

  private results(step: BoundStep, rows: readonly RowStep[], groups: readonly EditGroup[]): RowResult[] {
    const logits = readLogits(step, rows, this.logits.buffer, this.config.vocabularySize);
    const readings = readEdits(step, rows, groups);
    return rows.map((row, r) => ({
      requestId: row.requestId,
      logits: logits[r] ?? [],
      readings: readings[r] ?? [],
      taps: readTaps(step, row, r, this.config.dModel),
    }));
  }

  /** A variant is closed only after the run that may have chosen it, and after everything bound to it. */
  private evict(variant: Variant): void {
    this.evicted = Promise.all([this.evicted, this.running]).then(() => {
      for (const [key, step] of [...this.steps.entries()]) if (step.variant === variant) this.steps.delete(key);
      variant.session.close();
    });
  }

  private refuseIfClosed(): void {
    if (this.closed) throw new TillerError('step_failed', 'The model has been unloaded.');
  }
}
