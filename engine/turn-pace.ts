import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long work may hold the event loop: two such stretches, and what else a turn does, stay below 10 ms. */
const longestMilliseconds = 4;

/** Keeps many short pieces of work from holding the event loop: `if (pace.isDue()) await pace.turn()` before each piece. */
export interface TurnPace {
  /** Work begins now: the event loop has just turned. */
  begin(): void;
  /** Whether the event loop should turn before the next piece. */
  isDue(): boolean;
  turn(): Promise<void>;
}

/** A pace by the clock, in milliseconds. */
export function createTurnPace(
  now: () => number = () => performance.now(),
  turn: () => Promise<void> = nextTurn,
): TurnPace {
  let since = now();
  const begin = () => {
    since = now();
  };
  return {
    begin,
    isDue: () => now() - since >= longestMilliseconds,
    async turn() {
      await turn();
      begin();
    },
  };
}
