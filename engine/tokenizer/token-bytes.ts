import { TillerError } from '../core/index.ts';
import { byteOfCharacter } from './byte-level.ts';
import type { Component, TokenizerJson } from './tokenizer-json.ts';

/** From a pool: a `TextEncoder` would take memory of its own for each of a quarter of a million tokens. */
const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');

/** The exact bytes of every token, in one buffer. */
export class TokenBytes {
  /** Largest id plus one. */
  readonly size: number;
  /** A text begins with one space that the tokenizer put there and that decoding takes away again (SentencePiece). */
  readonly stripsLeadingSpace: boolean;
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;

  /** `tokens`: bytes by id, with holes. */
  constructor(tokens: readonly (Uint8Array | undefined)[], stripsLeadingSpace: boolean) {
    this.stripsLeadingSpace = stripsLeadingSpace;
    this.size = tokens.length;
    this.#starts = new Uint32Array(this.size + 1);
    for (let id = 0; id < this.size; id++) this.#starts[id + 1] = this.#starts[id] + (tokens[id]?.length ?? 0);
    this.#bytes = new Uint8Array(this.#starts[this.size]);
    for (let id = 0; id < this.size; id++) this.#bytes.set(tokens[id] ?? [], this.#starts[id]);
  }

  /** A view; empty for an id that no token has (padding rows of the embedding). */
  get(id: number): Uint8Array {
    return id >= 0 && id < this.size ? this.#bytes.subarray(this.#starts[id], this.#starts[id + 1]) : new Uint8Array(0);
  }
}

/**
 * Works the bytes out from a tokenizer.json. Two kinds of decoder are known: `ByteLevel` (GPT-2, Llama 3, SmolLM2) and SentencePiece's
 * BPE with byte fallback (Llama 2). Others are refused by name.
 */
export function tokenBytes(path: string, json: TokenizerJson): TokenBytes {
  const decoder = json.decoder ?? { type: 'none' };
  const pieces = decoder.type === 'ByteLevel' ? null : sentencePieceSteps(decoder);
  if (decoder.type !== 'ByteLevel' && pieces === null) {
    throw new TillerError(
      'checkpoint_unsupported',
      `${path}: tokenizers that decode with '${describe(decoder)}' are not supported yet. ByteLevel and SentencePiece's byte fallback are.`,
    );
  }
  const bytesOf = pieces === null ? byteLevelBytes : sentencePieceBytes;
  const tokens: (Uint8Array | undefined)[] = [];
  for (const [token, id] of Object.entries(json.model.vocab)) if (typeof id === 'number') tokens[id] = bytesOf(token);
  // SentencePiece's decoder works on added tokens too (Gemma's runs of U+2581 are spaces); ByteLevel's leaves them
  const bytesOfAdded = pieces === null ? utf8 : sentencePieceBytes;
  for (const { id, content } of json.added_tokens) tokens[id] = bytesOfAdded(content);
  return new TokenBytes(tokens, pieces?.stripsLeadingSpace ?? false);
}

/** As in tokenizers' ByteLevel decoder, a token with a character outside the table stands for its own text. */
function byteLevelBytes(token: string): Uint8Array {
  const table = byteOfCharacter();
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = table.get(token[i]);
    if (byte === undefined) return utf8(token);
    bytes[i] = byte;
  }
  return bytes;
}

/** `<0x0A>` is a byte; elsewhere U+2581 is a space. */
function sentencePieceBytes(token: string): Uint8Array {
  const byte = token.startsWith('<0x') ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token) : null;
  return byte ? Uint8Array.of(Number.parseInt(byte[1], 16)) : utf8(token.replaceAll('\u2581', ' '));
}

/** The decoder of converted SentencePiece BPE models, step by step; null where it is anything else. */
function sentencePieceSteps(decoder: Component): { readonly stripsLeadingSpace: boolean } | null {
  if (decoder.type !== 'Sequence' || !Array.isArray(decoder.decoders)) return null;
  const steps = decoder.decoders.map((step: unknown) => JSON.stringify(step));
  const expected = [
    JSON.stringify({ type: 'Replace', pattern: { String: '\u2581' }, content: ' ' }),
    JSON.stringify({ type: 'ByteFallback' }),
    JSON.stringify({ type: 'Fuse' }),
  ];
  if (expected.some((step, index) => steps[index] !== step)) return null;
  if (steps.length === 3) return { stripsLeadingSpace: false };
  const strip = JSON.stringify({ type: 'Strip', content: ' ', start: 1, stop: 0 });
  return steps.length === 4 && steps[3] === strip ? { stripsLeadingSpace: true } : null;
}

function describe(decoder: Component): string {
  if (decoder.type !== 'Sequence' || !Array.isArray(decoder.decoders)) return decoder.type;
  return decoder.decoders.map((step: { type?: unknown }) => String(step?.type)).join(', ');
}
