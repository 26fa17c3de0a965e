import { type EditReport, type FinishReason, TillerError } from '../../engine/core/index.ts';
import type { Warning } from '../http/router.ts';
import type { InspectedText, InspectedTokens, Inspection, ResolvedSteering, SteeringBlock } from '../services.ts';
import type { ReadToken } from './reading-input-schemas.ts';
import type { ReadingPlan } from './reading-plan.ts';
import { describeTokens, ReplyTokens } from './reading-tokens.ts';

export interface ReadReply {
  readonly text: string;
  readonly finish_reason: FinishReason;
  readonly seed: number;
}

/** What was read of one input, and of the reply to it. */
export interface InspectedRun {
  readonly promptTokens: number;
  /** Of the input, then of the reply. */
  readonly tokens: readonly ReadToken[];
  readonly reply: ReadReply | null;
  /** Position of the first inspected token; null where none was. */
  readonly first: number | null;
  /** In the order of the inspection's sources. */
  readonly sources: readonly { readonly tokens: InspectedTokens; readonly text: InspectedText }[];
  readonly reports: readonly EditReport[];
  readonly warning: Warning | null;
}

/** A token with what the sources say of it; null for a reply's last, which is never read. */
export interface InspectedToken {
  readonly type: 'token';
  readonly token: ReadToken;
  readonly sources:
    | readonly { readonly ignored: boolean; readonly indices: Uint32Array; readonly values: Float32Array }[]
    | null;
}

/** Runs an input of the plan; gives its tokens as they are read, and at the end the whole. */
export async function* inspectRun(
  { model, inputs, requests, over }: ReadingPlan,
  inspection: Inspection,
  index: number,
): AsyncGenerator<InspectedToken | { readonly type: 'run'; readonly run: InspectedRun }> {
  const [input, request] = [inputs[index], requests[index]];
  if (!input || !request) throw new TillerError('internal', 'an input of the plan is not there');
  const described = describeTokens(input, model.tokenizer);
  const tokens = [...described.tokens];
  const promptTokens = tokens.length;
  const replyTokens = new ReplyTokens(model.tokenizer, promptTokens, input.chat?.messages.length ?? null);
  const pieces: (readonly InspectedTokens[])[] = [];
  let [first, told, text]: [number | null, number, string] = [null, 0, ''];
  let finished: { readonly reason: FinishReason; readonly reports: readonly EditReport[] } | null = null;
  for await (const event of inspection.run(request)) {
    if (event.type === 'token') {
      tokens.push(replyTokens.push(event.tokenId));
      text += event.text;
    } else if (event.type === 'features') {
      first ??= event.start;
      pieces.push(event.sources);
      const count = event.sources[0]?.counted.length ?? 0;
      told = event.start + count;
      for (let t = 0; t < count; t++) {
        const token = tokens[event.start + t];
        if (token) yield { type: 'token', token, sources: event.sources.map((source) => tokenOf(source, t)) };
      }
    } else if (event.type === 'finish') {
      text += event.text;
      finished = { reason: event.reason, reports: event.edits };
    } else if (event.type === 'summary') {
      if (!finished) throw new TillerError('internal', 'a request was read that has not finished');
      // what comes behind what was told: the reply's last token
      const unread = over === 'prompt' ? [] : tokens.slice(Math.max(told, promptTokens));
      for (const token of unread) yield { type: 'token', token, sources: null };
      const reply = over === 'prompt' ? null : { text, finish_reason: finished.reason, seed: request.sampling.seed };
      const sources = event.sources.map((whole, k) => ({ tokens: joined(pieces, k), text: whole }));
      const { warning } = described;
      const { reports } = finished;
      yield { type: 'run', run: { promptTokens, tokens, reply, first, sources, reports, warning } };
    }
  }
}

/** Of a token: its features, strongest first. */
export function tokenOf({ counted, offsets, indices, values }: InspectedTokens, t: number) {
  const [from, to] = [offsets[t] as number, offsets[t + 1] as number];
  return { ignored: !counted[t], indices: indices.subarray(from, to), values: values.subarray(from, to) };
}

/** What the answer says of its steering; undefined where there is none. */
export function steeringOf(
  steering: ResolvedSteering | null,
  reports: readonly (readonly EditReport[])[],
  { requests, seed }: ReadingPlan,
): SteeringBlock | undefined {
  const seeds = seed === null ? [] : requests.map(({ sampling }) => sampling.seed);
  return steering?.report(reports, seeds);
}

/** The pieces of one source, one behind the other. */
function joined(pieces: readonly (readonly InspectedTokens[])[], k: number): InspectedTokens {
  const own = pieces.flatMap((piece) => piece[k] ?? []);
  const told = own.reduce((sum, { indices }) => sum + indices.length, 0);
  const counted = own.flatMap((piece) => piece.counted);
  const whole = {
    offsets: new Uint32Array(counted.length + 1),
    indices: new Uint32Array(told),
    values: new Float32Array(told),
  };
  let [token, at] = [0, 0];
  for (const { counted: here, offsets, indices, values } of own) {
    for (let t = 0; t < here.length; t++) whole.offsets[++token] = at + (offsets[t + 1] as number);
    whole.indices.set(indices, at);
    whole.values.set(values, at);
    at += indices.length;
  }
  return { counted, ...whole };
}
