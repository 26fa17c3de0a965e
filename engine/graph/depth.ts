/**
 * How many of a decoder's blocks have to be run for the values at these hook points (canonical spelling): none for what enters block 0,
 * all for what follows the last. A block is run as a whole.
 */
export function blocksNeeded(hookPoints: Iterable<string>, blocks: number): number {
  let needed = 0;
  for (const name of hookPoints) {
    const [, block] = /^blocks\.(\d+)\./.exec(name) ?? [];
    if (name.startsWith('ln_final.')) needed = blocks;
    else if (block !== undefined && name !== 'blocks.0.hook_resid_pre') needed = Math.max(needed, Number(block) + 1);
  }
  return Math.min(needed, blocks);
}
