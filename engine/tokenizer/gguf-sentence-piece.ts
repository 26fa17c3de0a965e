import type { GgufTokenizer } from '../checkpoint/index.ts';
import { TillerError } from '../core/index.ts';

/** llama_token_type (llama.h): the token of what has no other. */
const unknown = 2;

/** What a file with a SentencePiece vocabulary says besides. */
export interface SentencePieceMetadata {
  /** `tokenizer.ggml.scores`: the piece with the highest is merged first. */
  readonly scores?: readonly number[] | null;
  /** `tokenizer.ggml.add_space_prefix`: a text begins with a space of its own. llama.cpp's default is that it does. */
  readonly addSpacePrefix?: boolean | null;
}

/**
 * Normalizer, decoder and model of the tokenizer.json that a SentencePiece vocabulary in a GGUF file (Llama 2, Mistral, Gemma) stands
 * for. Throws `checkpoint_invalid` where it has not one score a token.
 */
export function sentencePieceParts(path: string, gguf: GgufTokenizer & SentencePieceMetadata, vocab: object): object {
  const { tokens, scores } = gguf;
  if (!scores || scores.length !== tokens.length) {
    throw new TillerError(
      'checkpoint_invalid',
      `${path}: tokenizer.ggml.scores has ${scores?.length ?? 0} scores for ${tokens.length} tokens: which pieces to join cannot be told.`,
    );
  }
  const space = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' };
  const prefix = gguf.addSpacePrefix ?? true;
  const steps = [
    { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
  ];
  const unknownToken = gguf.tokens.find((_, id) => gguf.tokenTypes[id] === unknown) ?? null;
  return {
    normalizer: prefix ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '\u2581' }, space] } : space,
    pre_tokenizer: null,
    decoder: { type: 'Sequence', decoders: steps },
    model: {
      type: 'BPE',
      unk_token: unknownToken,
      fuse_unk: true,
      byte_fallback: true,
      vocab,
      merges: mergesOf(tokens, scores),
    },
  };
}

/**
 * Every way to make a piece of two others, best score first: SentencePiece joins the two neighbours whose piece has the highest score
 * (bpe_model.cc), and so does byte-pair encoding with this order. Among the ways to one piece the longer left half goes first, as in
 * transformers' conversion.
 */
function mergesOf(tokens: readonly string[], scores: readonly number[]): [string, string][] {
  const known = new Set(tokens);
  const found: { readonly left: string; readonly right: string; readonly score: number }[] = [];
  for (const [id, piece] of tokens.entries()) {
    for (let at = piece.length - 1; at > 0; at--) {
      if (isInsideCharacter(piece, at)) continue;
      const left = piece.slice(0, at);
      const right = piece.slice(at);
      if (known.has(left) && known.has(right)) found.push({ left, right, score: scores[id] ?? 0 });
    }
  }
  return found.sort((a, b) => b.score - a.score).map(({ left, right }) => [left, right]);
}

/** Whether a cut would part a surrogate pair. */
function isInsideCharacter(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
