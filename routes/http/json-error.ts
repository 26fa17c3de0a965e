/**
 * Where a text stops being JSON. V8's messages name the position only sometimes, and a client deserves it always; this runs
 * after JSON.parse has refused, so it only has to find the first offset from which no JSON text could continue.
 */
export function locateJsonError(text: string): {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
} {
  const offset = new JsonScanner(text).firstBadOffset();
  const before = text.slice(0, offset).split('\n');
  return { offset, line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

/** What may come next. `item` and `member` stand right after an opening bracket, where the closing one may follow. */
type Expectation = 'value' | 'item' | 'key' | 'member' | 'separator';

const literal = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escapeSequence = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class JsonScanner {
  readonly #text: string;
  readonly #open: ('{' | '[')[] = [];
  #at = 0;
  #expected: Expectation = 'value';

  constructor(text: string) {
    this.#text = text;
  }

  firstBadOffset(): number {
    for (;;) {
      this.#skipSpace();
      const good = this.#expected === 'separator' ? this.#separator() : this.#element();
      if (!good) return this.#at;
    }
  }

  #separator(): boolean {
    const container = this.#open.at(-1);
    const character = this.#text[this.#at];
    if (container && character === ',') {
      this.#at++;
      this.#expected = container === '{' ? 'key' : 'value';
      return true;
    }
    return container !== undefined && this.#close(container);
  }

  #element(): boolean {
    const expected = this.#expected;
    if (expected === 'item' && this.#close('[')) return true;
    if (expected === 'member' && this.#close('{')) return true;
    if (expected === 'key' || expected === 'member') return this.#key();
    const character = this.#text[this.#at];
    if (character === '{' || character === '[') {
      this.#open.push(character);
      this.#at++;
      this.#expected = character === '{' ? 'member' : 'item';
      return true;
    }
    this.#expected = 'separator';
    return character === '"' ? this.#string() : this.#match(literal);
  }

  #key(): boolean {
    if (!this.#string()) return false;
    this.#skipSpace();
    if (this.#text[this.#at] !== ':') return false;
    this.#at++;
    this.#expected = 'value';
    return true;
  }

  #close(container: '{' | '['): boolean {
    if (this.#text[this.#at] !== (container === '{' ? '}' : ']')) return false;
    this.#open.pop();
    this.#at++;
    this.#expected = 'separator';
    return true;
  }

  /** Leaves the position at the first character that a string may not hold. */
  #string(): boolean {
    if (this.#text[this.#at] !== '"') return false;
    this.#at++;
    while (this.#at < this.#text.length) {
      const character = this.#text.charAt(this.#at);
      if (character === '\\') {
        if (!this.#match(escapeSequence)) return false;
        continue;
      }
      if (character < ' ') return false;
      this.#at++;
      if (character === '"') return true;
    }
    return false;
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at += found[0].length;
    return found !== null;
  }

  #skipSpace(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? '-')) this.#at++;
  }
}
