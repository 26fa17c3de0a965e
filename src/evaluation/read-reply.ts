import { type Edit, greedyRequest, type PositionContext, TillerError, type Tokenizer } from '../../engine/index.ts';
import type { ModelService } from '../../routes/services.ts';
import { submitPatiently } from './submit-patiently.ts';

/** Tokens of a reply as a model reads them behind their prompt. */
export interface ReplyReading {
  /** Log-probability of each of its tokens. */
  readonly logprobs: readonly number[];
  /** Hook point → [tokens of the reply, width]. */
  readonly taps: ReadonlyMap<string, Float32Array>;
}

export interface ReplyToRead {
  readonly id: string;
  readonly promptTokenIds: Int32Array;
  readonly replyTokenIds: ArrayLike<number>;
  /** In canonical spelling. */
  readonly taps: readonly string[];
  /** What is done to the stream meanwhile, where it would be if the reply were being generated. */
  readonly edits: readonly Edit[];
  /** Of the prompt, under those edits. */
  readonly positions: PositionContext | null;
  readonly signal: AbortSignal | null;
}

/** Reads a reply in one request that generates nothing. Throws what `submit` throws. */
export async function readReply(
  { submit, tokenizer }: { readonly submit: ModelService['submit']; readonly tokenizer: Tokenizer },
  { id, promptTokenIds, replyTokenIds, taps, edits, positions, signal }: ReplyToRead,
): Promise<ReplyReading> {
  const first = promptTokenIds.length;
  const whole = new Int32Array(first + replyTokenIds.length);
  whole.set(promptTokenIds);
  whole.set(Array.from(replyTokenIds), first);
  const request = greedyRequest(id, whole, 0, {
    promptLogprobs: 0,
    ...(taps.length === 0 ? {} : { taps }),
    edits: edits.map((edit) => ({ ...edit, positions: overReply(edit.positions, first, whole.length) })),
    positionContext: overWhole(positions, whole, first, tokenizer),
    signal,
  });
  let logprobs: number[] | null = null;
  const pieces = new Map<string, Float32Array[]>(taps.map((tap) => [tap, []]));
  for await (const event of submitPatiently(submit, request)) {
    if (event.type === 'prompt')
      logprobs = event.logprobs?.slice(first).flatMap((token) => token?.logprob ?? []) ?? null;
    if (event.type !== 'activations') continue;
    for (const [tap, values] of event.taps) pieces.get(tap)?.push(values.slice());
  }
  if (logprobs?.length !== replyTokenIds.length) throw new TillerError('internal', 'a reply was read in part');
  return {
    logprobs,
    taps: new Map([...pieces].map(([tap, parts]) => [tap, ofReply(parts, whole.length, first)])),
  };
}

/**
 * Positions of a request that generates, said of one that reads prompt and reply as its prompt: `first` is where the reply begins, and the
 * token before it predicts its first.
 */
function overReply(positions: Edit['positions'], first: number, length: number): Edit['positions'] {
  switch (positions) {
    case 'prompt':
      // a prompt of one token has no position but the first: an empty range
      return { from: 1, to: Math.max(1, first) };
    case 'generated':
      return { from: first - 1, to: length };
    case 'last':
      return { from: first - 1, to: first };
    default:
      return positions;
  }
}

function overWhole(
  positions: PositionContext | null,
  whole: Int32Array,
  first: number,
  { specialTokenIds }: Tokenizer,
): PositionContext {
  const special = Uint8Array.from(whole, (token) => Number(specialTokenIds.has(token)));
  if (positions !== null) special.set(positions.promptIsSpecial);
  return {
    promptLength: whole.length,
    assistantRanges: [...(positions?.assistantRanges ?? []), [first - 1, whole.length]],
    promptIsSpecial: special,
    specialTokenIds,
  };
}

function ofReply(parts: readonly Float32Array[], length: number, first: number): Float32Array {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const width = total / length;
  if (!Number.isInteger(width)) throw new TillerError('internal', 'a reply was tapped in part');
  const all = new Float32Array(total);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.subarray(first * width);
}
