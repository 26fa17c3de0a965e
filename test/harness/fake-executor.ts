import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Edit } from '../../engine/core/edit.ts';
import { arrayReading, type ReadingValues } from '../../engine/core/edit-reading.ts';
import type { Executor, LogitsRow, RowResult, RowStep, StepPlan } from '../../engine/core/step.ts';

export interface FakeExecutorOptions {
  readonly slots?: number;
  readonly context?: number;
  readonly maxChunk?: number;
  readonly ragged?: boolean;
  readonly vocabularySize?: number;
  /** How many of the largest logits a row reports. */
  readonly topCount?: number;
  /** A token that the model all but insists on after these input tokens; null leaves it to the hash. */
  readonly script?: (history: readonly number[]) => number | null;
  /** Called before each run; what it throws fails the run, what it returns is awaited. */
  readonly onRun?: (plan: StepPlan, index: number) => void | Promise<void>;
  /** Whether the row's logits come out as NaN. */
  readonly poison?: (row: RowStep) => boolean;
  /** Changes what an edit reports. */
  readonly reading?: (reading: ReadingValues, row: RowStep) => ReadingValues;
  readonly prepare?: Executor['prepare'];
  /** Called before each copy; what it throws fails the copy. False leaves the copy out: a bug for tests to catch. */
  readonly onCopy?: (from: number, to: number) => boolean;
}

export interface FakeExecutor extends Executor {
  /** Every plan that was run. */
  readonly plans: readonly StepPlan[];
  readonly copies: readonly { readonly from: number; readonly to: number; readonly tokens: number }[];
  /** Slots freed, in order. */
  readonly freed: readonly number[];
  readonly closed: () => boolean;
  /** Tokens in each slot, and blocks outside of them. */
  readonly memory: () => { readonly slots: readonly number[]; readonly blocks: number };
}

/** Tokens of a block: small, so that short prompts have some. */
const blockTokens = 4;

/** What the fake cache holds for one position: the token, and a number that every edit applied there has changed. */
interface Entry {
  readonly token: number;
  readonly state: number;
}

/**
 * An executor without a model. Its cache holds, for each slot and position, the token and what edits did to it; logits are
 * a hash of everything in the row's own slot up to the position. A row that reads another row's slot, starts at the wrong
 * position, loses its edits or was not copied therefore says something else. It also refuses what a real executor must
 * be able to rely on: plans of the wrong shape, and cache operations while a run is in flight.
 */
export function createFakeExecutor(options: FakeExecutorOptions = {}): FakeExecutor {
  const { slots = 16, context = 256, maxChunk = 8, vocabularySize = 260, ragged = false } = options;
  const cache: Entry[][] = Array.from({ length: slots + 1 }, () => []);
  const plans: StepPlan[] = [];
  const copies: { from: number; to: number; tokens: number }[] = [];
  const freed: number[] = [];
  const blocks = new Map<number, Entry[]>();
  let nextBlock = 0;
  let lent: Float32Array[] = [];
  let running = false;
  let closed = false;

  const idle = (what: string) => {
    if (running) throw new Error(`${what} while a run is in flight`);
    if (closed) throw new Error(`${what} after close`);
  };
  /** Cache operations take a turn of the event loop, in which nothing else may touch the cache. */
  const busy = async (what: string) => {
    idle(what);
    running = true;
    await nextTurn();
    running = false;
  };
  const runRow = (row: RowStep): RowResult => {
    const entries = cache[row.slot] as Entry[];
    if (entries.length < row.start)
      throw new Error(`slot ${row.slot} holds ${entries.length} tokens, not ${row.start}`);
    const seen: number[] = [];
    row.tokens.forEach((token, at) => {
      const before = entries[row.start + at - 1]?.state ?? 1;
      seen.push(hash(before, token));
      entries[row.start + at] = { token, state: nextState(before, row, at) };
    });
    const wanted = { none: [], never: [], last: [row.tokens.length - 1], all: [...row.tokens.keys()] }[row.logits];
    return {
      requestId: row.requestId,
      logits: wanted.map((at) => {
        const logits = fakeLogits(entries.slice(0, row.start + at + 1), vocabularySize, options.script);
        if (options.poison?.(row)) logits.fill(Number.NaN);
        lent.push(logits);
        return logitsRow(logits, options.topCount ?? 32);
      }),
      readings: row.edits.map(({ edit, mask }) => {
        const reading = edit.read ? fakeReads(edit, mask, seen) : fakeReading(edit.coefficient.beta, mask);
        return arrayReading(options.reading?.(reading, row) ?? reading);
      }),
      taps: new Map(),
    };
  };

  return {
    slots,
    context,
    maxChunk,
    ragged,
    tokenBytes: 1,
    blocks: {
      blockTokens,
      blockBytes: blockTokens,
      async save(slot, start, count) {
        await busy('save');
        return Array.from({ length: count }, (_, at) => {
          const from = start + at * blockTokens;
          const entries = (cache[slot] as Entry[]).slice(from, from + blockTokens);
          if (entries.length < blockTokens)
            throw new Error(`slot ${slot} does not hold ${blockTokens} tokens at ${from}`);
          blocks.set(nextBlock, entries);
          return nextBlock++;
        });
      },
      async load(slot, start, numbers) {
        await busy('load');
        const entries = numbers.flatMap((number) => blocks.get(number) ?? []);
        if (entries.length !== numbers.length * blockTokens) throw new Error('a block that is not there');
        (cache[slot] as Entry[]).splice(start, entries.length, ...entries);
      },
      free(block) {
        if (!blocks.delete(block)) throw new Error('a block that is not there');
      },
    },
    plans,
    copies,
    freed,
    closed: () => closed,
    memory: () => ({ slots: cache.map((entries) => entries.length), blocks: blocks.size }),
    prepare: options.prepare ?? (() => Promise.resolve()),
    async run(plan) {
      idle('run');
      checkPlan(plan, { slots, context, maxChunk, ragged });
      running = true;
      // what was lent is overwritten, as a real executor's buffers are
      for (const logits of lent) logits.fill(Number.NaN);
      lent = [];
      try {
        plans.push(plan);
        await options.onRun?.(plan, plans.length - 1);
        return plan.rows.map(runRow);
      } finally {
        running = false;
      }
    },
    async copySlot(from, to, tokens) {
      await busy('copySlot');
      copies.push({ from, to, tokens });
      if (options.onCopy?.(from, to) === false) return;
      cache[to] = (cache[from] as Entry[]).slice(0, tokens);
    },
    freeSlot(slot) {
      idle('freeSlot');
      freed.push(slot);
      cache[slot] = [];
    },
    statistics: () => ({
      runs: plans.length,
      variantsBuilt: 0,
      variantsCached: 0,
      variantsEvicted: 0,
      variantFallbackSteps: 0,
      variantBuildMilliseconds: 0,
    }),
    async close() {
      idle('close');
      closed = true;
    },
  };
}

function checkPlan(
  plan: StepPlan,
  limits: { slots: number; context: number; maxChunk: number; ragged: boolean },
): void {
  if (plan.rows.length === 0) throw new Error('a plan without rows');
  if (plan.kind === 'prefill' && plan.rows.length !== 1) throw new Error('a prefill step of several rows');
  const [first] = plan.rows;
  plan.rows.forEach((row, at) => {
    if (plan.kind === 'decode' && row.tokens.length !== 1) throw new Error('a decode step of several tokens a row');
    if (row.slot < 0 || row.slot > limits.slots) throw new Error('a slot that does not exist');
    if (!limits.ragged && row.slot !== (first?.slot ?? 0) + at) throw new Error('slots are not contiguous');
    if (row.tokens.length < 1 || row.tokens.length > limits.maxChunk) throw new Error('a chunk of the wrong size');
    if (row.start + row.tokens.length > limits.context) throw new Error('beyond the context');
    for (const { mask } of row.edits) {
      if (mask.length !== row.tokens.length || mask.every((value) => value === 0))
        throw new Error('an edit without use');
    }
  });
  if (plan.rows.length > limits.slots) throw new Error('more rows than the executor takes');
  if (new Set(plan.rows.map(({ slot }) => slot)).size < plan.rows.length) throw new Error('two rows in one slot');
  if (limits.ragged) return;
  if (plan.kind === 'mixed') throw new Error('a mixed step that was not offered');
  if (plan.rows.length > 1 && first?.slot !== 0) throw new Error('a batch that does not begin at slot 0');
}

function nextState(before: number, row: RowStep, at: number): number {
  let state = hash(before, row.tokens[at] as number);
  for (const { edit, mask } of row.edits) {
    // a probe writes nothing
    if (mask[at] !== 0 && !edit.probe) state = hash(state, Math.round(edit.coefficient.beta * 1000) + 7);
  }
  return state;
}

/** Logits in about −6 … 6; printable ASCII is likelier than other bytes, so that replies are mostly readable. */
function fakeLogits(entries: readonly Entry[], size: number, script: FakeExecutorOptions['script']): Float32Array {
  const state = entries.at(-1)?.state ?? 1;
  const logits = new Float32Array(size);
  for (let id = 0; id < size; id++) {
    const printable = id >= 4 + 32 && id < 4 + 127;
    logits[id] = (hash(state, id) / 2 ** 32) * 8 - 6 + (printable ? 4 : 0);
  }
  const scripted = script?.(entries.map((entry) => entry.token)) ?? null;
  if (scripted !== null) logits[scripted] = 60;
  return logits;
}

/** A row as the executor hands it out: its largest logits, and all of them on demand. */
export function logitsRow(logits: Float32Array, topCount: number): LogitsRow {
  const order = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
  const top = order.slice(0, topCount);
  return {
    topValues: Float32Array.from(top, (id) => logits[id] as number),
    topTokenIds: Int32Array.from(top),
    logSumExp: logSumExp(logits),
    full: () => logits,
  };
}

/** As the graph computes it: float32. */
export function logSumExp(logits: Float32Array): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return Math.fround(largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)));
}

function fakeReading(beta: number, mask: Float32Array): ReadingValues {
  return {
    gate: mask.slice(),
    sink: new Float32Array(mask.length),
    coefficient: new Float32Array(mask.length).fill(beta),
    readingBefore: new Float32Array(mask.length).fill(1),
    readingAfter: new Float32Array(mask.length).fill(1 + beta),
    streamNorm: new Float32Array(mask.length).fill(10),
  };
}

/**
 * What an edit that reads finds: a number in −1 … 1 that depends on all that stands before its token and on its direction, in a
 * stream whose norm, 5 … 15, does too.
 */
function fakeReads({ coefficient, read, sinkNorm }: Edit, mask: Float32Array, seen: readonly number[]): ReadingValues {
  const unit = (salt: number) => Float32Array.from(seen, (state) => (hash(state, salt) / 2 ** 32) * 2 - 1);
  const readingBefore = unit(Math.round((read?.direction[0] ?? 0) * 1000));
  const streamNorm = unit(11).map((value) => 10 + 5 * value);
  const sink = mask.map((value, at) => ((streamNorm[at] as number) > sinkNorm ? value : 0));
  return {
    gate: mask.map((value, at) => (sink[at] === 0 ? value : 0)),
    sink,
    coefficient: new Float32Array(mask.length).fill(coefficient.beta),
    readingBefore,
    readingAfter: readingBefore.map((value) => value + coefficient.beta),
    streamNorm,
  };
}

/** A 32-bit mix of two numbers (the finaliser of MurmurHash3). */
function hash(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x165667b1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
