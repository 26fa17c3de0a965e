import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Pointer } from './api.ts';
import { koffi } from './foreign.ts';

/** mmap's numbers differ by platform (sys/mman.h). */
const mapFlags = {
  linux: { anonymous: 0x20, noReserve: 0x4000, noHugePages: 15 },
  darwin: { anonymous: 0x1000, noReserve: 0x40, noHugePages: null },
} as const;
const protectionRead = 1;
const protectionWrite = 2;
const mapPrivate = 2;
const adviceDontNeed = 4;
const mapFailed = BigInt.asUintN(64, -1n);

interface SystemMemory {
  map(bytes: number, protection: number, flags: number, file: number): Pointer;
  unmap(address: Pointer, bytes: number): void;
  advise(address: Pointer, bytes: number, advice: number): void;
  /** On a worker thread. */
  adviseAside(address: Pointer, bytes: number, advice: number): Promise<void>;
  readonly flags: { readonly anonymous: number; readonly noReserve: number; readonly noHugePages: number | null };
}

let system: SystemMemory | null | undefined;

/** libc's memory calls; null where there is no mmap (Windows), and plain ArrayBuffers serve instead. */
function systemMemory(): SystemMemory | null {
  if (system !== undefined) return system;
  const flags = process.platform === 'linux' || process.platform === 'darwin' ? mapFlags[process.platform] : null;
  if (!flags) {
    system = null;
    return system;
  }
  const library = koffi.load(null);
  const map = library.func(
    'void *mmap(void *address, size_t bytes, int protection, int flags, int file, int64_t offset)',
  );
  const unmap = library.func('int munmap(void *address, size_t bytes)');
  const advise = library.func('int madvise(void *address, size_t bytes, int advice)');
  system = {
    flags,
    map: (bytes, protection, mapping, file) => {
      const address = map(null, bytes, protection, mapping, file, 0) as Pointer | null;
      if (!address || BigInt.asUintN(64, address) === mapFailed) throw new Error(`mmap of ${bytes} bytes failed`);
      return address;
    },
    unmap: (address, bytes) => void unmap(address, bytes),
    advise: (address, bytes, advice) => void advise(address, bytes, advice),
    adviseAside: (address, bytes, advice) =>
      new Promise((resolve, reject) => {
        advise.async(address, bytes, advice, (error: Error | null) => (error ? reject(error) : resolve()));
      }),
  };
  return system;
}

export const pageBytes = 16384; // The largest page in use (Apple silicon); a multiple of the 4 KiB of the others.

/** A stretch of native memory that never moves. */
export class NativeMemory {
  readonly address: Pointer;
  readonly byteLength: number;
  private readonly mapped: SystemMemory | null;
  private viewed: ArrayBuffer | null;
  private viewedBytes: Uint8Array | null = null;
  private freed = false;

  private constructor(address: Pointer, byteLength: number, buffer: ArrayBuffer | null, mapped: SystemMemory | null) {
    this.address = address;
    this.byteLength = byteLength;
    this.viewed = buffer;
    this.mapped = mapped;
  }

  /** The same bytes for JavaScript. At most 4 GiB: a file of weights may be larger, and only native code reads it. */
  get buffer(): ArrayBuffer {
    this.viewed ??= koffi.view(this.address, this.byteLength);
    return this.viewed;
  }

  /** All of `buffer`. */
  get bytes(): Uint8Array {
    this.viewedBytes ??= new Uint8Array(this.buffer);
    return this.viewedBytes;
  }

  /** Zeroed memory that costs nothing until it is written. */
  static reserve(byteLength: number): NativeMemory {
    const bytes = Math.max(1, byteLength);
    const memory = systemMemory();
    if (!memory) {
      const buffer = new ArrayBuffer(bytes);
      return new NativeMemory(koffi.address(buffer), bytes, buffer, null);
    }
    const flags = mapPrivate | memory.flags.anonymous | memory.flags.noReserve;
    const address = memory.map(bytes, protectionRead | protectionWrite, flags, -1);
    // Huge pages would commit 2 MiB for the first token of a slot.
    if (memory.flags.noHugePages !== null) memory.advise(address, bytes, memory.flags.noHugePages);
    return new NativeMemory(address, bytes, koffi.view(address, bytes), memory);
  }

  /** A whole file, read only; mapped, so that its pages come and go with their use. Read into memory where there is no mmap. */
  static file(path: string): NativeMemory {
    const file = openSync(path, 'r');
    try {
      const byteLength = fstatSync(file).size;
      const memory = systemMemory();
      if (memory) {
        const address = memory.map(byteLength, protectionRead, mapPrivate, file);
        return new NativeMemory(address, byteLength, null, memory);
      }
      const buffer = new ArrayBuffer(byteLength);
      const bytes = new Uint8Array(buffer);
      for (let done = 0; done < byteLength; )
        done += readSync(file, bytes, done, Math.min(1 << 26, byteLength - done), done);
      return new NativeMemory(koffi.address(buffer), byteLength, buffer, null);
    } finally {
      closeSync(file);
    }
  }

  /**
   * Lets go of the pages wholly inside a range: anonymous memory reads as zeros afterwards, a file's pages come back when
   * read. Does nothing where there is no mmap; on macOS it is advice only, and pages go when memory is short.
   */
  discard(offset = 0, byteLength = this.byteLength - offset): void {
    const from = Math.ceil(offset / pageBytes) * pageBytes;
    const end = offset + byteLength;
    const to = end === this.byteLength ? end : Math.floor(end / pageBytes) * pageBytes;
    if (to > from) this.mapped?.advise(this.address + BigInt(from), to - from, adviceDontNeed);
  }

  /**
   * Lets go of all pages on a worker thread: tearing down half a gigabyte takes 15 ms. The memory must not be freed before it
   * is done: its addresses might be somebody else's by then.
   */
  async discardAside(): Promise<void> {
    if (!this.freed) await this.mapped?.adviseAside(this.address, this.byteLength, adviceDontNeed);
  }

  /** Unmaps. Nothing may use the address or the buffer afterwards. */
  free(): void {
    if (this.freed) return;
    this.freed = true;
    this.mapped?.unmap(this.address, this.byteLength);
  }
}
