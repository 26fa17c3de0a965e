import { setMaxListeners } from 'node:events';
import type { Engine } from './core/engine.ts';
import { TillerError } from './core/errors.ts';
import { KeptRun } from './core/kept-run.ts';
import { logitsAfter, type PositionLogits } from './core/prompt-logits.ts';
import type { Branch, GenerateRequest } from './core/request.ts';
import { greedyRequest } from './greedy-request.ts';
import { inParallelPatiently } from './in-parallel-patiently.ts';
import { entryOfBlock, planStarts, tappedPlaces } from './patch-starts.ts';

/** Which activations of one prompt are put into a run of another. */
export interface PatchingOptions {
  /** Prefix of the requests' ids. */
  readonly id: string;
  /** Whose activations are taken, and whose run they are put into: as many tokens each. */
  readonly clean: Int32Array;
  readonly corrupted: Int32Array;
  /** Canonical spelling, each of which can be edited. */
  readonly hookPoints: readonly string[];
  readonly positions: readonly number[];
  /** Tokens whose logits after the prompt are told. */
  readonly tokens: Int32Array;
  /** Blocks of the model. */
  readonly blocks: number;
  readonly signal?: AbortSignal | null;
  readonly deadline?: number | null;
  /** How many runs are with the engine at once, in its queue or in a step; default 12. */
  readonly together?: number;
  readonly onRun?: (done: number, total: number) => void;
}

export interface PatchedLogits {
  /** Logits of `tokens` after the prompts as they are. */
  readonly clean: Float32Array;
  readonly corrupted: Float32Array;
  /** The same of the patched runs, [hook points, positions, tokens]. */
  readonly patched: Float32Array;
  readonly runs: number;
}

/** Enough to fill a step with short prompts while the next ones wait. */
const defaultTogether = 12;

/**
 * Activation patching: for each hook point and position the corrupted prompt is run with the clean run's value there, and its logits are
 * read. Each run is a request of its own, and takes turns with whoever else is there. It computes what the patch can change and no more:
 * positions from the patched one on, in the blocks from the patched one on (in front of it, at most, those that one graph for several hook
 * points has); the rest is the corrupted prompt's own run, which is kept meanwhile. Throws what `Engine.submit` throws.
 */
export async function patchActivations(engine: Engine, options: PatchingOptions): Promise<PatchedLogits> {
  const { id, clean, corrupted, hookPoints, positions, tokens, blocks, deadline = null } = options;
  if (clean.length !== corrupted.length) {
    const message = `The clean prompt has ${clean.length} tokens and the corrupted one ${corrupted.length}.`;
    throw new TillerError('invalid_request', `${message} Give two of equal length.`, { param: 'corrupted' });
  }
  const left = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  // each run listens to it while it is with the engine
  setMaxListeners(0, signal);
  const groups = planStarts(hookPoints, blocks);
  const taps = tappedPlaces(hookPoints, blocks);
  const kept = new KeptRun();
  const read = (name: string, ids: Int32Array, more: Partial<GenerateRequest> = {}) =>
    readRun(
      engine,
      greedyRequest(`${id}-${name}`, ids, 0, {
        taps,
        promptLogits: logitsAfter(ids.length, tokens),
        signal,
        deadline,
        ...more,
      }),
    );
  try {
    const source = await read('clean', clean);
    const base = await read('corrupted', corrupted, { keeps: kept });
    await kept.kept();
    const patched = new Float32Array(hookPoints.length * positions.length * tokens.length);
    const row = new Map(hookPoints.map((name, at) => [name, at]));
    const runs = groups.flatMap((group) =>
      group.hookPoints.flatMap((hookPoint) => longAndShort(positions).map((column) => ({ group, hookPoint, column }))),
    );
    let done = 0;
    await inParallelPatiently(
      runs,
      options.together ?? defaultTogether,
      left,
      async ({ group, hookPoint, column }, at) => {
        const { block, hookPoints: open } = group;
        const position = positions[column] as number;
        const stream = block === 0 ? null : tapped(base.taps, entryOfBlock(block));
        const branch: Branch = { run: kept, position, entry: stream && { block, stream }, open };
        const mask = new Uint8Array(corrupted.length);
        mask[position] = 1;
        const replacements = [{ hookPoint, values: tapped(source.taps, hookPoint), mask }];
        const request = { branch, replacements, promptLogits: logitsAfter(corrupted.length, tokens), signal, deadline };
        const { logits } = await readRun(engine, greedyRequest(`${id}-${at}`, corrupted, 0, request));
        patched.set(logits.values, ((row.get(hookPoint) as number) * positions.length + column) * tokens.length);
        options.onRun?.(++done, runs.length);
      },
    );
    return { clean: source.logits.values, corrupted: base.logits.values, patched, runs: runs.length };
  } finally {
    left.abort();
    kept.release();
  }
}

interface ReadRun {
  readonly logits: PositionLogits;
  readonly taps: ReadonlyMap<string, Float32Array>;
}

async function readRun(engine: Engine, request: GenerateRequest): Promise<ReadRun> {
  const taps = new Map<string, Float32Array>();
  let logits: PositionLogits | null = null;
  for await (const event of engine.submit(request)) {
    if (event.type === 'logits') logits = event.rows.at(-1) ?? null;
    if (event.type !== 'activations') continue;
    for (const [name, values] of event.taps) append(taps, name, values);
  }
  if (!logits) throw new TillerError('internal', 'a prompt was read without its logits');
  return { logits, taps };
}

function append(taps: Map<string, Float32Array>, name: string, values: Float32Array): void {
  const before = taps.get(name);
  if (!before) {
    taps.set(name, values);
    return;
  }
  const whole = new Float32Array(before.length + values.length);
  whole.set(before);
  whole.set(values, before.length);
  taps.set(name, whole);
}

function tapped(taps: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  const values = taps.get(name);
  if (!values) throw new TillerError('internal', `${name} was not read`);
  return values;
}

/** Indices into positions, the early ones (long runs) and the late ones in turns: steps then fill alike. */
function longAndShort(positions: readonly number[]): number[] {
  const order = [...positions.keys()].sort((a, b) => (positions[a] as number) - (positions[b] as number));
  return order.map((_, at) => order[at % 2 === 0 ? at / 2 : order.length - (at + 1) / 2] as number);
}
