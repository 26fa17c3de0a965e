/** A block that is held: `content` stands for its memory, of which this file knows nothing but the size. */
export interface PrefixEntry<Content> {
  readonly key: string;
  readonly content: Content;
  readonly bytes: number;
}

interface Node<Content> extends PrefixEntry<Content> {
  readonly parent: Node<Content> | null;
  children: number;
  /** Copies in progress that need it. */
  pins: number;
}

/**
 * Which blocks of earlier sequences are held, by their keys, within a budget of bytes. A key speaks for everything up to the
 * end of its block, so a sequence of keys is looked up from its beginning until one is missing. Least recently used goes
 * first, but never before what was built on it, and never while it is pinned.
 */
export class PrefixCache<Content> {
  readonly budgetBytes: number;
  /** Least recently used first. A parent is used whenever a child is, and stands behind it. */
  readonly #nodes = new Map<string, Node<Content>>();
  #bytes = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  /** Blocks held. */
  get size(): number {
    return this.#nodes.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The longest beginning of `keys` that is held, and marks it as used. */
  find(keys: readonly string[]): PrefixEntry<Content>[] {
    const found: Node<Content>[] = [];
    for (const key of keys) {
      const node = this.#nodes.get(key);
      if (!node) break;
      found.push(node);
    }
    for (const node of found.toReversed()) this.#touch(node);
    return found;
  }

  has(key: string): boolean {
    return this.#nodes.has(key);
  }

  /** Keeps the entries until `unpin`, which must be called as often. */
  pin(entries: readonly PrefixEntry<Content>[]): void {
    for (const { key } of entries) this.#node(key).pins++;
  }

  unpin(entries: readonly PrefixEntry<Content>[]): void {
    for (const { key } of entries) this.#node(key).pins--;
  }

  /**
   * Holds blocks, each the child of the one before it, the first of `parentKey` (null: of nothing). The parent must be held,
   * none of the blocks may be, and there must be room for all.
   */
  add(entries: readonly PrefixEntry<Content>[], parentKey: string | null): void {
    let parent = parentKey === null ? null : this.#node(parentKey);
    for (const entry of entries) {
      if (this.#nodes.has(entry.key)) throw new Error('a block is added twice');
      if (this.#bytes + entry.bytes > this.budgetBytes) throw new Error('a block is added beyond the budget');
      const node: Node<Content> = { ...entry, parent, children: 0, pins: 0 };
      this.#nodes.set(entry.key, node);
      this.#bytes += entry.bytes;
      if (parent) parent.children++;
      parent = node;
    }
    for (let node = parent; node; node = node.parent) this.#touch(node);
  }

  /** Lets blocks go until `bytes` more fit the budget, as far as that is possible. @returns what went */
  makeRoom(bytes: number): PrefixEntry<Content>[] {
    return this.#evictWhile(() => this.#bytes + bytes > this.budgetBytes);
  }

  /** Lets so many blocks go, fewer where no more may. @returns what went */
  evict(count: number): PrefixEntry<Content>[] {
    const least = this.size - count;
    return this.#evictWhile(() => this.size > least);
  }

  #evictWhile(wanted: () => boolean): PrefixEntry<Content>[] {
    const evicted: Node<Content>[] = [];
    while (wanted()) {
      const node = this.#oldestLeaf();
      if (!node) break;
      this.#nodes.delete(node.key);
      this.#bytes -= node.bytes;
      if (node.parent) node.parent.children--;
      evicted.push(node);
    }
    return evicted;
  }

  /** Almost always the first in order: only pinned blocks and their ancestors stand before it. */
  #oldestLeaf(): Node<Content> | null {
    for (const node of this.#nodes.values()) if (node.pins === 0 && node.children === 0) return node;
    return null;
  }

  #touch(node: Node<Content>): void {
    this.#nodes.delete(node.key);
    this.#nodes.set(node.key, node);
  }

  #node(key: string): Node<Content> {
    const node = this.#nodes.get(key);
    if (!node) throw new Error('a block is not held');
    return node;
  }
}
