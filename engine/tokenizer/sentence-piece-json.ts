import type { GgufTokenizer } from '../checkpoint/index.ts';
import { TillerError } from '../core/index.ts';

/** How SentencePiece writes a space. */
const space = '\u2581';
const userDefined = 4;

/** The parts of a tokenizer.json that SentencePiece's BPE takes (Llama 2, Mistral, Gemma). */
export interface SentencePieceParts {
  readonly tokens: readonly string[];
  readonly normalizer: object;
  readonly decoder: object;
  readonly model: object;
}

/**
 * SentencePiece's BPE as transformers converts it (convert_slow_tokenizer.py, SentencePieceExtractor): every way to put a token together
 * from two others is a merge, and better scores come first. A token that a user defined goes before all others, as in SentencePiece; the
 * spaces in it, which llama.cpp's converter writes as such, are put back.
 */
export function sentencePieceParts(path: string, gguf: GgufTokenizer): SentencePieceParts {
  const { sentencePiece } = gguf;
  if (sentencePiece === null || sentencePiece.scores.length !== gguf.tokens.length) {
    throw new TillerError('checkpoint_invalid', `${path}: its tokenizer does not have one score for each token.`);
  }
  const tokens = gguf.tokens.map((token, id) =>
    gguf.tokenTypes[id] === userDefined ? token.replaceAll(' ', space) : token,
  );
  const scores = sentencePiece.scores.map((score, id) => (gguf.tokenTypes[id] === userDefined ? 0 : score));
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: space };
  const prepend = { type: 'Prepend', prepend: space };
  const decoders = [
    { type: 'Replace', pattern: { String: space }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ];
  const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };
  return {
    tokens,
    normalizer: sentencePiece.addsSpace ? { type: 'Sequence', normalizers: [prepend, replace] } : replace,
    decoder: { type: 'Sequence', decoders: sentencePiece.addsSpace ? [...decoders, strip] : decoders },
    model: {
      type: 'BPE',
      unk_token: tokens[gguf.tokenTypes.indexOf(unknown)] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      merges: mergesOf(tokens, scores),
    },
  };
}

const unknown = 2;

interface Merge {
  readonly left: string;
  readonly right: string;
  readonly score: number;
  readonly leftId: number;
  readonly rightId: number;
}

function mergesOf(tokens: readonly string[], scores: readonly number[]): [string, string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: Merge[] = [];
  for (const [id, token] of tokens.entries()) {
    const ways: Merge[] = [];
    for (let at = 1; at < token.length; at++) {
      const [left, right] = [token.slice(0, at), token.slice(at)];
      const [leftId, rightId] = [ids.get(left), ids.get(right)];
      if (leftId !== undefined && rightId !== undefined)
        ways.push({ left, right, leftId, rightId, score: scores[id] ?? 0 });
    }
    merges.push(...ways.sort((a, b) => a.leftId - b.leftId || a.rightId - b.rightId));
  }
  merges.sort((a, b) => b.score - a.score || b.left.length - a.left.length || b.right.length - a.right.length);
  return merges.map(({ left, right }) => [left, right]);
}
