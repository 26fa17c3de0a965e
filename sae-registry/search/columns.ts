/** Numbers of one kind that grow at the end: a typed array that doubles when it is full. */
export class Column<T extends Uint8Array | Uint16Array | Uint32Array | Float32Array> {
  #values: T;
  #length = 0;
  readonly #make: (length: number) => T;

  /** @param make the array's constructor, as a function */
  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#values = make(1024);
  }

  get length(): number {
    return this.#length;
  }

  /** All that was made room for; those from `length` on mean nothing. Growing replaces it. */
  get values(): T {
    return this.#values;
  }

  get byteLength(): number {
    return this.#values.byteLength;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = this.#make(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  at(index: number): number {
    return this.#values[index] as number;
  }
}
