/** Lets the event loop turn between pieces of long work: engine/turn-pace.ts makes one; null never yields. */
export interface Pace {
  isDue(): boolean;
  turn(): Promise<void>;
}
