import type { ChatTemplate, DetokenizeStream, Tokenizer } from '../../engine/core/index.ts';

/** Special tokens of the toy vocabulary; ids 0–255 are bytes. */
export const specials = { '<|im_start|>': 256, '<|im_end|>': 257, '<|begin|>': 258 } as const;
export const vocabularySize = 259;

const specialText = new Map<number, string>(Object.entries(specials).map(([text, id]) => [id, text]));

/** One token a byte, special tokens spelled out in text become their ids; `prependBegin` is a tokenizer that prepends one. */
export function toyTokenizer(prependBegin = false): Tokenizer {
  const bytesOf = (id: number) => {
    const special = specialText.get(id);
    return special === undefined ? Uint8Array.of(id) : new TextEncoder().encode(special);
  };
  const decode = (ids: ArrayLike<number>, skipSpecial: boolean) =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Uint8Array.from(Array.from(ids).flatMap((id) => (skipSpecial && specialText.has(id) ? [] : [...bytesOf(id)]))),
    );
  return {
    vocabularySize,
    specialTokenIds: new Set(Object.values(specials)),
    encode: (text, { addSpecialTokens }) => {
      const ids: number[] = text
        .split(/(<\|im_start\|>|<\|im_end\|>|<\|begin\|>)/)
        .flatMap((part) =>
          part in specials ? [specials[part as keyof typeof specials]] : [...new TextEncoder().encode(part)],
        );
      const begin = specials['<|begin|>'];
      return Int32Array.from(prependBegin && addSpecialTokens && ids[0] !== begin ? [begin, ...ids] : ids);
    },
    decode: (ids, { skipSpecial }) => decode(ids, skipSpecial),
    tokenText: (id) => new TextDecoder().decode(bytesOf(id)),
    tokenBytes: bytesOf,
    stream: ({ skipSpecial }) => toyDetokenizer((id) => (skipSpecial && specialText.has(id) ? [] : [...bytesOf(id)])),
  };
}

function toyDetokenizer(bytesOf: (id: number) => readonly number[]): DetokenizeStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (id) => decoder.decode(Uint8Array.from(bytesOf(id)), { stream: true }),
    flush: () => decoder.decode(),
  };
}

/** ChatML with a default system message, like the embedded default model's template. */
export const toyTemplate: ChatTemplate = {
  render: (messages, { addGenerationPrompt }) => {
    const system = messages[0]?.role === 'system' ? '' : '<|im_start|>system\nBe brief.<|im_end|>\n';
    const turns = messages.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`);
    return system + turns.join('') + (addGenerationPrompt ? '<|im_start|>assistant\n' : '');
  },
};
