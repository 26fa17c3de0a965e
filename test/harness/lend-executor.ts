import type { BlockStore, Executor } from '../../engine/core/index.ts';

/** The same executor for an engine of its own: closing that engine leaves it open. */
export function lendExecutor(owner: Executor, blocks: BlockStore = owner.blocks): Executor {
  const { slots, context, maxChunk, ragged, tokenBytes } = owner;
  return {
    slots,
    context,
    maxChunk,
    ragged,
    tokenBytes,
    blocks,
    prepare: (sites) => owner.prepare(sites),
    unembed: (kind, vectors, read) => owner.unembed(kind, vectors, read),
    run: (plan) => owner.run(plan),
    copySlot: (from, to, tokens) => owner.copySlot(from, to, tokens),
    freeSlot: (slot) => owner.freeSlot(slot),
    statistics: () => owner.statistics(),
    close: () => Promise.resolve(),
  };
}
