import { sourceInvalid } from '../source-error.ts';

/** Something that a pickle may name: a class or function of Python's, which here is this object and nothing else. */
export interface PickleGlobal {
  readonly name: string;
  /** What calling it with these arguments gives; null: it is never called. */
  readonly call: ((args: readonly unknown[]) => unknown) | null;
}

export interface PickleRules {
  /** For messages. */
  readonly path: string;
  /** By `module name`: all that the pickle may name. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** What a persistent id stands for. */
  readonly persistent: (id: unknown) => unknown;
}

const maxDepth = 1_000_000;

/** Opcodes (Python's pickletools) that carry a value of fixed length. */
const fixed: Readonly<Record<number, (view: DataView, at: number) => readonly [unknown, number]>> = {
  75: (view, at) => [view.getUint8(at), 1], // K BININT1
  77: (view, at) => [view.getUint16(at, true), 2], // M BININT2
  74: (view, at) => [view.getInt32(at, true), 4], // J BININT
  71: (view, at) => [view.getFloat64(at), 8], // G BINFLOAT
  78: () => [null, 0], // N NONE
  136: () => [true, 0], // NEWTRUE
  137: () => [false, 0], // NEWFALSE
  41: () => [[], 0], // ) EMPTY_TUPLE
  93: () => [[], 0], // ] EMPTY_LIST
  125: () => [new Map(), 0], // } EMPTY_DICT
};
/** Bytes of the length before text. */
const text: Readonly<Record<number, number>> = { 88: 4, 140: 1 }; // X BINUNICODE, SHORT_BINUNICODE

/**
 * Reads a pickle as data. It has the opcodes that plain values, dictionaries, lists and calls of what `rules` allow are written with, and
 * no others; nothing is ever looked up, imported or run. Tuples and lists become arrays, dictionaries Maps. Throws `source_invalid` naming
 * what the pickle asked for.
 */
export function readPickle(bytes: Uint8Array, rules: PickleRules): unknown {
  try {
    return new PickleReader(bytes, rules).run();
  } catch (error) {
    if (error instanceof RangeError) throw sourceInvalid(`${rules.path}: its pickle is truncated.`, error);
    throw error;
  }
}

class PickleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #rules: PickleRules;
  #at = 0;
  #stack: unknown[] = [];
  readonly #marks: unknown[][] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, rules: PickleRules) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#rules = rules;
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#view.getUint8(this.#at++);
      if (opcode === 46) return this.#pop(); // . STOP
      if (this.#stack.length + this.#marks.length > maxDepth) throw this.#refused('is nested too deeply');
      this.#step(opcode);
    }
  }

  #step(opcode: number): void {
    if (Object.hasOwn(fixed, opcode)) {
      const [value, length] = fixed[opcode](this.#view, this.#at);
      this.#at += length;
      this.#stack.push(value);
    } else if (Object.hasOwn(text, opcode)) this.#stack.push(this.#text(text[opcode]));
    else if (!(this.#structure(opcode) || this.#memory(opcode))) {
      throw this.#refused(`uses opcode 0x${opcode.toString(16)}, which no file of tensors needs`);
    }
  }

  /** Values made of others. */
  #structure(opcode: number): boolean {
    switch (opcode) {
      case 40: // ( MARK
        this.#marks.push(this.#stack);
        this.#stack = [];
        return true;
      case 116: // t TUPLE
        this.#push(this.#toMark());
        return true;
      case 133: // TUPLE1
      case 134: // TUPLE2
      case 135: // TUPLE3
        this.#push(this.#take(opcode - 132));
        return true;
      case 97: // a APPEND
        this.#append([this.#pop()]);
        return true;
      case 101: // e APPENDS
        this.#append(this.#toMark());
        return true;
      case 115: // s SETITEM
        this.#set(this.#take(2));
        return true;
      case 117: // u SETITEMS
        this.#set(this.#toMark());
        return true;
      case 138: // LONG1
        this.#push(this.#long());
        return true;
      case 99: // c GLOBAL
        this.#push(this.#global(this.#line(), this.#line()));
        return true;
      case 147: // STACK_GLOBAL
        this.#push(this.#global(...(this.#take(2) as [unknown, unknown])));
        return true;
      case 82: // R REDUCE
        this.#push(this.#call(...(this.#take(2) as [unknown, unknown])));
        return true;
      case 98: // b BUILD: attributes of a dictionary (`_metadata` of a state dict), which hold no tensors
        this.#pop();
        if (!(this.#stack.at(-1) instanceof Map)) throw this.#refused('sets attributes of what is no dictionary');
        return true;
      case 81: // Q BINPERSID
        this.#push(this.#rules.persistent(this.#pop()));
        return true;
      default:
        return false;
    }
  }

  /** What does not make values: protocol, frames, the memo. */
  #memory(opcode: number): boolean {
    switch (opcode) {
      case 128: // PROTO
        this.#at += 1;
        return true;
      case 149: // FRAME
        this.#at += 8;
        return true;
      case 113: // q BINPUT
        this.#memo.set(this.#view.getUint8(this.#at++), this.#top());
        return true;
      case 114: // r LONG_BINPUT
        this.#memo.set(this.#uint32(), this.#top());
        return true;
      case 148: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return true;
      case 104: // h BINGET
        this.#push(this.#recalled(this.#view.getUint8(this.#at++)));
        return true;
      case 106: // j LONG_BINGET
        this.#push(this.#recalled(this.#uint32()));
        return true;
      default:
        return false;
    }
  }

  #global(module: unknown, name: unknown): PickleGlobal {
    const known = this.#rules.globals.get(`${String(module)} ${String(name)}`);
    if (known) return known;
    throw this.#refused(`asks for ${String(module)}.${String(name)}, which is no part of a tensor; nothing was run`);
  }

  #call(callee: unknown, args: unknown): unknown {
    const known = [...this.#rules.globals.values()].find((global) => global === callee);
    if (!known?.call || !Array.isArray(args))
      throw this.#refused('calls what is no function of tensors; nothing was run');
    return known.call(args);
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#refused('appends to what is no list');
    for (const item of items) list.push(item);
  }

  #set(items: readonly unknown[]): void {
    const map = this.#top();
    if (!(map instanceof Map) || items.length % 2 !== 0) throw this.#refused('sets items of what is no dictionary');
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  #long(): number {
    const length = this.#view.getUint8(this.#at++);
    let value = 0n;
    for (let i = 0; i < length; i++) value |= BigInt(this.#view.getUint8(this.#at++)) << BigInt(8 * i);
    const signed = BigInt.asIntN(8 * length, value);
    if (!Number.isSafeInteger(Number(signed))) throw this.#refused(`has the number ${signed}`);
    return Number(signed);
  }

  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    if (end < 0) throw new RangeError('no end of line');
    return this.#decoded(end - this.#at, 1);
  }

  #text(lengthBytes: number): string {
    const length = lengthBytes === 1 ? this.#view.getUint8(this.#at++) : this.#uint32();
    return this.#decoded(length, 0);
  }

  #decoded(length: number, skipped: number): string {
    if (this.#at + length > this.#bytes.length) throw new RangeError('text beyond the end');
    const value = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length)).toString('utf8');
    this.#at += length + skipped;
    return value;
  }

  #uint32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  #recalled(index: number): unknown {
    if (this.#memo.has(index)) return this.#memo.get(index);
    throw this.#refused(`recalls entry ${index} of its memo, which it has not made`);
  }

  #push(value: unknown): void {
    this.#stack.push(value);
  }

  #top(): unknown {
    if (this.#stack.length === 0) throw this.#refused('is malformed: its stack is empty');
    return this.#stack.at(-1);
  }

  #pop(): unknown {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #take(count: number): unknown[] {
    if (this.#stack.length < count) throw this.#refused('is malformed: its stack is empty');
    return this.#stack.splice(this.#stack.length - count, count);
  }

  #toMark(): unknown[] {
    const items = this.#stack;
    const before = this.#marks.pop();
    if (before === undefined) throw this.#refused('is malformed: it has no mark');
    this.#stack = before;
    return items;
  }

  #refused(what: string): Error {
    return sourceInvalid(`${this.#rules.path}: its pickle ${what}.`);
  }
}
