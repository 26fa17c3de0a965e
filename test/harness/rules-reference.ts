import type { EditReading, Executor, GenerateRequest } from '../../engine/core/index.ts';
import { positionsMask, probeEdit, referenceHolds, type TokenReading } from '../../engine/steering/index.ts';

export interface ReferenceReply {
  readonly tokenIds: readonly number[];
  /** Param of the rule that ended it; null: none did. */
  readonly stoppedBy: string | null;
  /** For each rule and each position of the prompt and the reply, whether it held there. */
  readonly holds: readonly (readonly boolean[])[];
  /** How far apart the two largest logits were where each token was chosen. */
  readonly margins: readonly number[];
  /** The smallest distance of anything compared from its threshold. */
  readonly closest: number;
}

/**
 * A greedy reply under rules, the slow way: for every token the whole sequence is run from its first token, every probe is read
 * at every position, and what held where is worked out anew.
 */
export async function referenceReply(executor: Executor, request: GenerateRequest): Promise<ReferenceReply> {
  const { edits, rules: ruleSet = { probes: [], rules: [] }, positionContext, stop, promptTokenIds } = request;
  const { probes, rules } = ruleSet;
  const tokens = [...promptTokenIds];
  const promptLength = tokens.length;
  const margins: number[] = [];
  let holds: readonly (readonly boolean[])[] = rules.map(() => tokens.map(() => false));
  let closest = Number.POSITIVE_INFINITY;
  while (tokens.length - promptLength < stop.maxTokens) {
    const ids = Int32Array.from(tokens);
    const masked = (edit: (typeof edits)[number], held?: readonly boolean[]) => {
      const mask = positionsMask(edit, positionContext, 0, ids);
      return { edit, mask: held ? mask.map((value, at) => (held[at] ? value : 0)) : mask };
    };
    const written = [
      ...edits.map((edit) => masked(edit)),
      ...rules.flatMap((rule, at) => rule.edits.map((edit) => masked(edit, holds[at]))),
    ];
    const readers = probes.map((probe) => ({ edit: probeEdit(probe), mask: new Float32Array(tokens.length).fill(1) }));
    const run = await readWhole(executor, tokens, written, readers);
    const before = holds;
    holds = referenceHolds(ruleSet, promptLength, run.readings);
    // nothing that is worked out anew may speak against what was worked out from fewer tokens
    before.forEach((held, rule) => {
      if (held.some((value, at) => value !== holds[rule]?.[at])) throw new Error('the reference contradicts itself');
    });
    closest = Math.min(closest, ...distances(request, run.readings));
    const stopping = rules.find((rule, at) => rule.stop && holds[at]?.[tokens.length]);
    if (stopping) return { tokenIds: tokens.slice(promptLength), stoppedBy: stopping.param, holds, margins, closest };
    const [first = 0, second = 0] = [...run.logits].sort((a, b) => b - a);
    margins.push(first - second);
    tokens.push(run.logits.indexOf(first));
  }
  return { tokenIds: tokens.slice(promptLength), stoppedBy: null, holds, margins, closest };
}

async function readWhole(
  executor: Executor,
  tokens: readonly number[],
  written: readonly { readonly edit: GenerateRequest['edits'][number]; readonly mask: Float32Array }[],
  readers: readonly { readonly edit: GenerateRequest['edits'][number]; readonly mask: Float32Array }[],
): Promise<{ readonly readings: TokenReading[][]; readonly logits: Float32Array }> {
  const all = [...written, ...readers];
  const readings: TokenReading[][] = readers.map(() => []);
  let logits = new Float32Array();
  await executor.prepare({ edits: [...new Set(all.map(({ edit }) => edit.hookPoint))], taps: [] });
  for (let start = 0; start < tokens.length; start += executor.maxChunk) {
    const chunk = tokens.slice(start, start + executor.maxChunk);
    const end = start + chunk.length;
    const carried = all
      .map(({ edit, mask }, index) => ({ edit, mask: mask.slice(start, end), index }))
      .filter(({ mask }) => mask.includes(1));
    const row = {
      requestId: 'reference',
      slot: 0,
      tokens: Int32Array.from(chunk),
      start,
      logits: end === tokens.length ? ('last' as const) : ('none' as const),
      edits: carried.map(({ edit, mask }) => ({ edit, mask })),
      taps: [],
    };
    const [result] = await executor.run({ kind: 'prefill', rows: [row] });
    for (const [at, { index }] of carried.entries()) {
      if (index < written.length) continue;
      const reading = result?.readings[at] as EditReading;
      for (let token = 0; token < chunk.length; token++) {
        readings[index - written.length]?.push({ a: reading.readingBefore(token), norm: reading.streamNorm(token) });
      }
    }
    logits = result?.logits.at(-1)?.full().slice() ?? logits;
  }
  executor.freeSlot(0);
  return { readings, logits };
}

/** How far what is compared lies from the numbers that it is compared with: rounding must not decide a test. */
function distances({ rules }: GenerateRequest, readings: readonly (readonly TokenReading[])[]): number[] {
  const found: number[] = [];
  for (const [at, probe] of (rules?.probes ?? []).entries()) {
    for (const { a, norm } of readings[at] ?? []) {
      found.push(Math.abs(a - probe.threshold), Math.abs(norm - probe.sinkNorm));
    }
  }
  return found;
}
