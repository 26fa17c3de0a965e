import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edit, PositionContext, Positions } from '../../../engine/core/index.ts';
import { positionsMask } from '../../../engine/steering/index.ts';
import { type KeyParts, PrefixKeys } from '../../../engine/steering/prefix-key.ts';
import { editOf } from '../../harness/requests.ts';

const salt = 'model f32';
const blockTokens = 16;
const tokensOf = (length: number, seed = 0) => Int32Array.from({ length }, (_, i) => (i * 7919 + seed) % 1000);

function contextOf(promptLength: number, more: Partial<PositionContext> = {}): PositionContext {
  return {
    promptLength,
    assistantRanges: [],
    promptIsSpecial: new Uint8Array(promptLength),
    specialTokenIds: new Set(),
    ...more,
  };
}

interface Sketch {
  readonly tokens: Int32Array;
  readonly edits?: readonly Edit[];
  readonly context?: PositionContext;
  readonly parts?: KeyParts;
  readonly salt?: string;
}

function blocksOf({ tokens, edits = [], context = contextOf(tokens.length), parts, salt: own = salt }: Sketch) {
  const keys = new PrefixKeys(edits, context, { salt: own, blockTokens, parts });
  return keys.first(Math.floor(tokens.length / blockTokens), (from, to) => tokens.slice(from, to));
}
const keysOf = (sketch: Sketch) => blocksOf(sketch).map(({ key }) => key);
const shared = (a: readonly string[], b: readonly string[]) => {
  const at = a.findIndex((key, i) => key !== b[i]);
  return at < 0 ? a.length : at;
};

describe('keys of a prompt', () => {
  const tokens = tokensOf(80);
  const plain = keysOf({ tokens });

  it('are the same for the same tokens, and differ from the first other token on', () => {
    expect(keysOf({ tokens: tokens.slice() })).toEqual(plain);
    const other = tokens.slice();
    other[40] = 1;
    expect(shared(keysOf({ tokens: other }), plain)).toBe(2);
    expect(shared(keysOf({ tokens: tokensOf(100) }), plain)).toBe(5);
    expect(new Set(plain).size).toBe(5);
    expect(shared(keysOf({ tokens, salt: 'another model' }), plain)).toBe(0);
    // the same tokens after others are something else
    const shifted = Int32Array.of(...tokensOf(16, 5), ...tokens);
    expect(keysOf({ tokens: shifted }).filter((key) => plain.includes(key))).toEqual([]);
  });

  it('leave out edits that touch nothing of a block or of those before it', () => {
    const from40 = keysOf({ tokens, edits: [editOf(1, { from: 40, to: 44 })] });
    expect(shared(from40, plain)).toBe(2);
    expect(shared(keysOf({ tokens, edits: [editOf(1, 'generated')] }), plain)).toBe(4);
    expect(keysOf({ tokens: tokensOf(81), edits: [editOf(1, 'generated')], context: contextOf(81) })).toEqual(plain);
    expect(shared(keysOf({ tokens, edits: [editOf(1, 'all')] }), plain)).toBe(0);
  });

  it('are shared by identical steering only', () => {
    const steered = keysOf({ tokens, edits: [editOf(1, 'all')] });
    expect(keysOf({ tokens, edits: [editOf(1, 'all')] })).toEqual(steered);
    expect(shared(keysOf({ tokens, edits: [editOf(1.0000001, 'all')] }), steered)).toBe(0);
    expect(shared(keysOf({ tokens, edits: [editOf(1, 'all_but_first')] }), steered)).toBe(0);
    expect(shared(keysOf({ tokens, edits: [editOf(1, 'all'), editOf(1, 'all')] }), steered)).toBe(0);
    const [first, second] = [editOf(1, 'all'), editOf(2, 'all', 'blocks.1.hook_resid_post')];
    expect(shared(keysOf({ tokens, edits: [first, second] }), keysOf({ tokens, edits: [second, first] }))).toBe(0);
    // what one edit touches is not what the other touches
    const swapped = [editOf(1, { from: 0, to: 4 }), editOf(2, { from: 4, to: 8 })];
    const back = [editOf(1, { from: 4, to: 8 }), editOf(2, { from: 0, to: 4 })];
    expect(shared(keysOf({ tokens, edits: swapped }), keysOf({ tokens, edits: back }))).toBe(0);
  });

  it('do not depend on how positions are spelled, nor on edits elsewhere', () => {
    const all = keysOf({ tokens, edits: [editOf(1, 'all')] });
    expect(keysOf({ tokens, edits: [editOf(1, { from: 0, to: 80 })] })).toEqual(all);
    const later = [editOf(3, { from: 70, to: 72 }), editOf(1, { from: 0, to: 99 })];
    expect(shared(keysOf({ tokens, edits: later }), all)).toBe(4);
    expect(blocksOf({ tokens, edits: later }).map(({ touched }) => touched)).toEqual([[1], [1], [1], [1], [0, 1]]);
    const both = [editOf(1, 'all'), editOf(2, { from: 0, to: 80 })];
    expect(keysOf({ tokens, edits: both })).toEqual(
      keysOf({ tokens, edits: both.map((edit) => ({ ...edit, positions: 'all' as const })) }),
    );
  });

  it('tell a prompt whose last token is steered from a longer one that begins with it', () => {
    const last: Positions[] = ['last', 'generated', 'assistant'];
    for (const positions of last) {
      const short = keysOf({ tokens: tokensOf(64), edits: [editOf(1, positions)] });
      const long = keysOf({ tokens, edits: [editOf(1, positions)] });
      expect(shared(short, plain)).toBe(3);
      expect(shared(long, plain)).toBe(4);
      expect(shared(short, long)).toBe(3);
    }
  });

  it('serve the next turn: a steered reply is a prompt whose edits name the same tokens', () => {
    // all positions: the reply's tokens were touched, and are again
    const reply = tokensOf(96);
    const first = keysOf({ tokens: reply, edits: [editOf(1, 'all')], context: contextOf(64) });
    expect(keysOf({ tokens: reply, edits: [editOf(1, 'all')], context: contextOf(90) })).toEqual(first);
    // generated: untouched in the next turn, so only what lies before the reply is the same
    const generated = keysOf({ tokens: reply, edits: [editOf(1, 'generated')], context: contextOf(65) });
    expect(shared(keysOf({ tokens: reply, edits: [editOf(1, 'generated')], context: contextOf(96) }), generated)).toBe(
      4,
    );
    // assistant: the reply is an assistant range then
    const context = contextOf(112, { assistantRanges: [[63, 96]] });
    const assistant = keysOf({ tokens: reply, edits: [editOf(1, 'assistant')], context: contextOf(64) });
    expect(keysOf({ tokens: reply, edits: [editOf(1, 'assistant')], context })).toEqual(assistant);
  });

  it('are equal exactly where tokens and edited tokens are', () => {
    const positions = fc.oneof(
      fc.constantFrom<Positions>('all', 'all_but_first', 'prompt', 'generated', 'last'),
      fc.tuple(fc.nat(40), fc.nat(40)).map(([from, length]): Positions => ({ from, to: from + length })),
    );
    const edit = fc.record({ beta: fc.constantFrom(1, 2), positions, skipSpecial: fc.boolean() });
    const request = fc.record({
      tokens: fc.array(fc.nat(1), { minLength: 1, maxLength: 3 }),
      extra: fc.nat(20),
      edits: fc.array(edit, { maxLength: 3 }),
      special: fc.array(fc.nat(60), { maxLength: 4 }),
    });
    const build = ({
      tokens: kinds,
      extra,
      edits,
      special,
    }: typeof request extends fc.Arbitrary<infer T> ? T : never) => {
      // few different tokens, so that prompts share beginnings
      const all = Int32Array.from(kinds.flatMap((kind) => [...tokensOf(16, kind)]));
      const length = Math.max(1, all.length - (extra % all.length));
      const promptIsSpecial = new Uint8Array(length);
      for (const at of special) if (at < length) promptIsSpecial[at] = 1;
      const context = contextOf(length, { promptIsSpecial, specialTokenIds: new Set([tokensOf(16)[3] as number]) });
      const own = edits.map(({ beta, ...more }) => ({ ...editOf(beta), ...more }));
      return { tokens: all, context, edits: own };
    };
    /** Tokens up to a block's end, and what touches each of them, spelled out. */
    const meaning = ({ tokens: all, context, edits }: ReturnType<typeof build>, blocks: number) => {
      const until = all.slice(0, blocks * blockTokens);
      const masks = edits.map((one) => ({ beta: one.coefficient.beta, mask: positionsMask(one, context, 0, until) }));
      return JSON.stringify([
        [...until],
        Array.from({ length: blocks }, (_, block) =>
          masks
            .map(({ beta, mask }) => ({ beta, mask: [...mask.slice(block * 16, block * 16 + 16)] }))
            .filter(({ mask }) => mask.includes(1)),
        ),
      ]);
    };
    fc.assert(
      fc.property(request, request, (one, two) => {
        const [a, b] = [build(one), build(two)];
        const [first, second] = [keysOf(a), keysOf(b)];
        for (let block = 1; block <= Math.min(first.length, second.length); block++) {
          expect(first[block - 1] === second[block - 1]).toBe(meaning(a, block) === meaning(b, block));
        }
      }),
      { numRuns: 1500 },
    );
  });
});
