/** A matrix in memory that can be let go. */
export interface ResidentMatrix {
  readonly bytes: number;
  /** Its numbers are needed no more; its rows are still to be had, from the file. */
  evict(): void;
}

/** Matrices that are held in memory together, within a budget: whoever was used longest ago makes room. */
export class ResidentMatrices {
  readonly budgetBytes: number;
  /** In the order of their use, the latest last. */
  readonly #held = new Set<ResidentMatrix>();
  #bytes = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  /** What they take now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Holds a matrix that the budget has room for at all; others go where they have to. */
  admit(matrix: ResidentMatrix): void {
    if (this.#held.has(matrix)) return;
    for (const other of this.#held) {
      if (this.#bytes + matrix.bytes <= this.budgetBytes) break;
      this.#held.delete(other);
      this.#bytes -= other.bytes;
      other.evict();
    }
    this.#held.add(matrix);
    this.#bytes += matrix.bytes;
  }

  /** It was used just now. */
  touch(matrix: ResidentMatrix): void {
    if (this.#held.delete(matrix)) this.#held.add(matrix);
  }
}
