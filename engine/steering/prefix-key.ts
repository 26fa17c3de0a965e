import { createHash, type Hash } from 'node:crypto';
import type { Edit, PositionContext } from '../core/edit.ts';
import type { RequestReplacement } from '../core/request.ts';
import { editDigest } from './edit-digest.ts';
import { positionsMask, samePositions } from './positions.ts';

/** What a block's key is made of besides its tokens. All of it, but for tests that show that each part is needed. */
export interface KeyParts {
  /** What stands before the block. */
  readonly parent: boolean;
  /** What the edits do that touch the block. */
  readonly edits: boolean;
  /** Which of its tokens they touch. */
  readonly mask: boolean;
}

export interface PrefixKeyOptions {
  /** What else decides keys and values: the model's hash and its precision. */
  readonly salt: string;
  /** Tokens of a block. */
  readonly blockTokens: number;
  readonly parts?: KeyParts;
  /** What the request's values are replaced by; left out: nothing is. */
  readonly replacements?: readonly RequestReplacement[];
}

/** A block of a sequence as the prefix cache knows it. */
export interface BlockKey {
  /** Equal keys: equal keys and values in the cache, up to rounding. */
  readonly key: string;
  /** Indices into the request's edits, ascending: those whose positions name any token of the block. */
  readonly touched: readonly number[];
}

/** What the edits do that touch a block, and which they are. */
interface Touch {
  readonly touched: readonly number[];
  readonly digest: Buffer;
}

const allParts: KeyParts = { parent: true, edits: true, mask: true };

/**
 * Keys of the blocks of one request's tokens, from the first on. A key is a SHA-256 over the key of the block before it, the
 * block's tokens, and each edit that touches any of them, in the request's order: what it does (`editDigest`) and to which
 * tokens. Edits that touch none of them do not enter, so that a prompt that is steered later, elsewhere or only while
 * generating shares what comes before with everybody else. So do values that are replaced: hook point, tokens and numbers enter the key of
 * the blocks that they lie in, and of those after them. How positions are spelled does not enter either: `last` and
 * `generated` mean another token in a longer prompt, and the mask says which.
 */
export class PrefixKeys {
  readonly #blockTokens: number;
  /** Stands before the first block. */
  readonly #root: string;
  readonly #parts: KeyParts;
  readonly #edits: readonly Edit[];
  readonly #context: PositionContext;
  readonly #replacements: readonly RequestReplacement[];
  /** One edit of each spelling of positions, to ask for its mask. */
  readonly #spellings: Edit[] = [];
  /** The spelling of each edit. */
  readonly #spellingOf: readonly number[];
  readonly #touches = new Map<string, Touch>();
  readonly #keys: BlockKey[] = [];

  constructor(edits: readonly Edit[], context: PositionContext, options: PrefixKeyOptions) {
    this.#edits = edits;
    this.#context = context;
    this.#blockTokens = options.blockTokens;
    this.#root = createHash('sha256').update(options.salt).digest('base64');
    this.#parts = options.parts ?? allParts;
    this.#replacements = options.replacements ?? [];
    this.#spellingOf = edits.map((edit) => this.#spelling(edit));
  }

  /** Blocks that have a key so far. */
  get length(): number {
    return this.#keys.length;
  }

  /** The first `count` keys; `tokensBetween(from, to)` is asked for the tokens of those not known yet. */
  first(count: number, tokensBetween: (from: number, to: number) => Int32Array): readonly BlockKey[] {
    while (this.#keys.length < count) {
      const start = this.#keys.length * this.#blockTokens;
      this.#keys.push(this.#next(start, tokensBetween(start, start + this.#blockTokens)));
    }
    return this.#keys.slice(0, count);
  }

  #next(start: number, tokens: Int32Array): BlockKey {
    const hash = createHash('sha256');
    const parent = this.#parts.parent ? this.#keys.at(-1)?.key : undefined;
    hash.update(parent ?? this.#root).update(tokens);
    for (const each of this.#replacements) hashReplaced(hash, each, start, start + this.#blockTokens);
    // The different masks of the edits that touch the block, and for each spelling the number of its mask among them.
    const masks: string[] = [];
    const maskOf = this.#spellings.map((edit) => {
      const mask = positionsMask(edit, this.#context, start, tokens).join('');
      if (!mask.includes('1')) return null;
      if (!masks.includes(mask)) masks.push(mask);
      return masks.indexOf(mask);
    });
    if (masks.length === 0) return { key: hash.digest('base64'), touched: [] };
    const { touched, digest } = this.#touch(maskOf);
    if (this.#parts.edits) hash.update(digest);
    if (this.#parts.mask) hash.update(masks.join());
    return { key: hash.digest('base64'), touched };
  }

  /** The edits that have a mask, and a digest of what each does and the number of its mask; the same for most blocks. */
  #touch(maskOf: readonly (number | null)[]): Touch {
    const name = maskOf.join();
    let touch = this.#touches.get(name);
    if (!touch) {
      const touched = [...this.#edits.keys()].filter((index) => maskOf[this.#spellingOf[index] as number] !== null);
      const hash = createHash('sha256');
      for (const index of touched) {
        hash.update(`${editDigest(this.#edits[index] as Edit)} ${maskOf[this.#spellingOf[index] as number]};`);
      }
      touch = { touched, digest: hash.digest() };
      this.#touches.set(name, touch);
    }
    return touch;
  }

  #spelling(edit: Edit): number {
    const at = this.#spellings.findIndex(
      (other) => samePositions(other.positions, edit.positions) && other.skipSpecial === edit.skipSpecial,
    );
    return at < 0 ? this.#spellings.push(edit) - 1 : at;
  }
}

/** Adds what stands in for values at positions `from` … `to` − 1, where anything does. */
function hashReplaced(hash: Hash, replacement: RequestReplacement, from: number, to: number): void {
  const { hookPoint, values, mask, generated } = replacement;
  const width = values.length / mask.length;
  for (let position = from; position < to; position++) {
    const own = position < mask.length ? mask[position] !== 0 : generated !== undefined;
    if (!own) continue;
    const place = position < mask.length ? values.subarray(position * width, (position + 1) * width) : generated;
    hash.update(`${hookPoint} ${position};`).update(place ?? new Float32Array());
  }
}
