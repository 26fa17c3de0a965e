/** Hook points that runs of one graph replace, and where that graph starts. */
export interface StartGroup {
  /** First block that is run; 0: the whole model, `blocks`: its last norm alone. */
  readonly block: number;
  readonly hookPoints: readonly string[];
}

/**
 * How many graphs a model is patched with. Each costs most of a second to build the first time, and runs of a graph that starts up to
 * blocks/`graphs` too early compute as many blocks more than they must: half of that on average.
 */
const graphs = 6;

/** The first block whose input or inside a hook point (canonical spelling) is: what comes before it does not see what is replaced there. */
export function firstBlockOf(hookPoint: string, blocks: number): number {
  if (hookPoint.startsWith('ln_final.')) return blocks;
  const [, block, name] = /^blocks\.(\d+)\.(.+)$/.exec(hookPoint) ?? [];
  if (block === undefined) return 0;
  return name === 'hook_resid_post' ? Number(block) + 1 : Number(block);
}

/** Groups hook points by where their runs start, the model's first ones first. */
export function planStarts(hookPoints: readonly string[], blocks: number): StartGroup[] {
  const stride = Math.max(1, Math.ceil((blocks + 1) / graphs));
  const groups = new Map<number, string[]>();
  for (const hookPoint of hookPoints) {
    const group = Math.floor(firstBlockOf(hookPoint, blocks) / stride);
    groups.set(group, [...(groups.get(group) ?? []), hookPoint]);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => a - b)
    .map(([, members]) => ({
      block: Math.min(...members.map((name) => firstBlockOf(name, blocks))),
      hookPoints: members,
    }));
}

/** Where the stream that enters a block can be read, in canonical spelling; `block` ≥ 1. */
export function entryOfBlock(block: number): string {
  return `blocks.${block - 1}.hook_resid_post`;
}

/** Hook points that both prompts are read at: those that are patched, and where runs start. */
export function tappedPlaces(hookPoints: readonly string[], blocks: number): string[] {
  const starts = planStarts(hookPoints, blocks).filter(({ block }) => block > 0);
  return [...new Set([...hookPoints, ...starts.map(({ block }) => entryOfBlock(block))])];
}

/** What patched runs compute, in tokens: one that runs a part of the blocks counts as that part. */
export function patchedTokens(work: {
  readonly hookPoints: readonly string[];
  readonly positions: readonly number[];
  readonly blocks: number;
  /** Tokens of the prompt. */
  readonly length: number;
}): number {
  const { hookPoints, positions, blocks, length } = work;
  const tokens = positions.reduce((sum, position) => sum + length - position, 0);
  const shares = planStarts(hookPoints, blocks).map(
    ({ block, hookPoints: members }) => (members.length * (blocks - block)) / blocks,
  );
  return tokens * shares.reduce((sum, share) => sum + share, 0);
}
