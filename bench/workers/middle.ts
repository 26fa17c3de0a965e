import { median } from '../statistics.ts';
import type { Timing } from './protocol.ts';

/** The middle one of blocks of as many tokens each: one that was disturbed does not count for more than its place. */
export function middle(blocks: readonly Timing[]): Timing {
  return { seconds: median(blocks.map(({ seconds }) => seconds)), tokens: blocks[0]?.tokens ?? 0 };
}
