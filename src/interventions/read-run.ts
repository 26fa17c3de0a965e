import {
  concatenateActivations,
  type Engine,
  type FinishReason,
  type GenerateRequest,
  greedyRequest,
  type PositionLogits,
  type SparseActivations,
  TillerError,
} from '../../engine/index.ts';

/** A request that was run to its end. */
export interface ReadRun {
  /** Null where none were asked for. */
  readonly logits: PositionLogits | null;
  /** Of the prompt, in the order of the request's encodings. */
  readonly activations: readonly SparseActivations[];
  /** Of the prompt, by hook point: [tokens, width]. */
  readonly taps: ReadonlyMap<string, Float32Array>;
  readonly text: string;
  readonly completionTokens: number;
  readonly finishReason: FinishReason;
}

/** Runs a request and puts together what it tells. Throws what `Engine.submit` throws. */
export async function readRun(
  engine: Engine,
  id: string,
  tokenIds: Int32Array,
  maxTokens: number,
  more: Partial<GenerateRequest>,
): Promise<ReadRun> {
  let logits: PositionLogits | null = null;
  let text = '';
  const parts: (readonly SparseActivations[])[] = [];
  const pieces = new Map<string, Float32Array[]>();
  for await (const event of engine.submit(greedyRequest(id, tokenIds, maxTokens, more))) {
    if (event.type === 'logits') logits = event.rows.at(-1) ?? null;
    if (event.type === 'token') text += event.text;
    if (event.type === 'activations') {
      if (event.activations.length > 0) parts.push(event.activations);
      for (const [name, values] of event.taps) pieces.set(name, [...(pieces.get(name) ?? []), values]);
    }
    if (event.type === 'finish') {
      const activations = (more.encodings ?? []).map((_, k) =>
        concatenateActivations(parts.map((part) => part[k] as SparseActivations)),
      );
      const taps = new Map([...pieces].map(([name, some]) => [name, joined(some)]));
      const { completionTokens, reason: finishReason } = event;
      return { logits, activations, taps, text: text + event.text, completionTokens, finishReason };
    }
  }
  throw new TillerError('internal', 'a request ended without its end');
}

function joined(pieces: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
