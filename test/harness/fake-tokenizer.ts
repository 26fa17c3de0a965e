import type { DetokenizeStream, Tokenizer } from '../../engine/core/tokenizer.ts';

const specials: readonly string[] = ['<pad>', '<eos>', '<user>', '<assistant>'];

/** Ids of the fake tokenizer: four special tokens, then one token for each byte. */
export const fakeTokens = { pad: 0, eos: 1, user: 2, assistant: 3, firstByte: 4 } as const;

/** A byte-level tokenizer of 260 tokens: every text survives the round trip, and characters beyond ASCII are several tokens. */
export function createFakeTokenizer(): Tokenizer {
  const specialTokenIds = new Set(specials.keys());
  const bytesOf = (id: number, skipSpecial: boolean) => {
    if (!specialTokenIds.has(id)) return Uint8Array.of(id - specials.length);
    return skipSpecial ? new Uint8Array() : new TextEncoder().encode(specials[id]);
  };
  return {
    vocabularySize: specials.length + 256,
    specialTokenIds,
    encode: (text) =>
      Int32Array.from(
        text.split(/(<pad>|<eos>|<user>|<assistant>)/).flatMap((part) => {
          const special = specials.indexOf(part);
          return special >= 0 ? [special] : [...new TextEncoder().encode(part)].map((byte) => byte + specials.length);
        }),
      ),
    decode: (ids, { skipSpecial }) =>
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(
        Uint8Array.from(Array.from(ids).flatMap((id) => [...bytesOf(id, skipSpecial)])),
      ),
    tokenText: (id) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytesOf(id, false)),
    tokenBytes: (id) => bytesOf(id, false),
    stream: ({ skipSpecial }): DetokenizeStream => {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      return {
        push: (id) => decoder.decode(bytesOf(id, skipSpecial), { stream: true }),
        flush: () => decoder.decode(),
      };
    },
  };
}
