/** The largest of many numbers, as many as `limit`: a heap whose root is the least of them. */
export class TopValues {
  readonly #limit: number;
  readonly #heap: number[];

  /** @param held what `values` gave */
  constructor(limit: number, held: ArrayLike<number> = []) {
    this.#limit = limit;
    this.#heap = Array.from(held).sort((a, b) => a - b);
  }

  add(value: number): void {
    const heap = this.#heap;
    if (heap.length < this.#limit) this.#rise(heap.push(value) - 1);
    else if (value > (heap[0] as number)) {
      heap[0] = value;
      this.#sink();
    }
  }

  /** Largest first. */
  values(): Float32Array {
    return Float32Array.from(this.#heap).sort().reverse();
  }

  #rise(from: number): void {
    const heap = this.#heap;
    for (let at = from; at > 0; ) {
      const above = (at - 1) >> 1;
      if ((heap[above] as number) <= (heap[at] as number)) return;
      [heap[above], heap[at]] = [heap[at] as number, heap[above] as number];
      at = above;
    }
  }

  #sink(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) {
        if (below < heap.length && (heap[below] as number) < (heap[least] as number)) least = below;
      }
      if (least === at) return;
      [heap[least], heap[at]] = [heap[at] as number, heap[least] as number];
      at = least;
    }
  }
}

/**
 * The percentile of `count` numbers of which `top` are the largest, largest first, between the two nearest ones as numpy has it. Where
 * it lies below them all: the least of them, which is too much.
 */
export function percentileFromTop(top: Float32Array, count: number, percentile: number): number {
  if (top.length === 0) return 0;
  const place = (count - 1) * (1 - percentile / 100);
  const above = Math.min(Math.floor(place), top.length - 1);
  const below = Math.min(above + 1, top.length - 1);
  const share = Math.min(1, place - above);
  return (top[above] as number) + ((top[below] as number) - (top[above] as number)) * share;
}
