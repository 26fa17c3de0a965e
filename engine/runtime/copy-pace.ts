import { setImmediate as nextTurn } from 'node:timers/promises';

/** Copied before the event loop may turn: 1 ms where every page is touched for the first time (0.5 ms a megabyte). */
const pieceBytes = 2 << 20;

/** Keeps a long copy on the event loop from holding it: `if (pace.isDue(bytes)) await pace.turn()` after each stretch. */
export class CopyPace {
  private since = 0;

  /** Whether the loop should turn now that so many more bytes have been copied. */
  isDue(bytes: number): boolean {
    this.since += bytes;
    return this.since >= pieceBytes;
  }

  async turn(): Promise<void> {
    this.since = 0;
    await nextTurn();
  }
}
