import type { SequentialWriter } from './atomic-file.ts';
import { stripOutputs } from './tile-layout.ts';

/** Bytes of the strips that are filled before they are written. */
const windowBytes = 2 ** 22;

/** Strips of tiles on their way into a file, a few at a time: outputs come in order, each is placed among those of its strip. */
export class StripWindow {
  readonly words: Uint32Array;
  private readonly file: SequentialWriter;
  private readonly report: () => void;
  private readonly stripBytes: number;
  private readonly capacity: number;
  private filled = 0;

  constructor(file: SequentialWriter, stripBytes: number, report: () => void) {
    const strips = Math.max(1, Math.floor(windowBytes / stripBytes));
    this.words = new Uint32Array((strips * stripBytes) / 4);
    this.capacity = strips * stripOutputs;
    this.file = file;
    this.stripBytes = stripBytes;
    this.report = report;
  }

  /** Where among the outputs of `words` the next one goes. */
  async next(): Promise<number> {
    if (this.filled === this.capacity) await this.flush();
    return this.filled++;
  }

  /** Writes what has been placed; outputs that fill up the last strip are zero. */
  async flush(): Promise<void> {
    const strips = Math.ceil(this.filled / stripOutputs);
    await this.file.write(new Uint8Array(this.words.buffer, 0, strips * this.stripBytes));
    this.report();
    this.words.fill(0);
    this.filled = 0;
  }
}
