import type { BlockStore } from './core/block-store.ts';
import { TillerError } from './core/errors.ts';
import type { SlotContent } from './core/kept-run.ts';
import type { GenerateRequest } from './core/request.ts';
import type { RowStep } from './core/step.ts';

/** What enters the model over positions `from` … `to` − 1 of a request that begins inside it. */
export function entryOf({ branch }: GenerateRequest, from: number, to: number): Pick<RowStep, 'entry'> {
  const entry = branch?.entry;
  if (!branch || !entry) return {};
  const width = entry.stream.length / branch.run.tokens;
  return { entry: { block: entry.block, stream: entry.stream.subarray(from * width, to * width) } };
}

/** Requests with one group run the same part of the model; null for those that are in none. */
export function groupOf({ branch }: GenerateRequest): string | null {
  return branch ? `from block ${branch.entry?.block ?? 0}` : null;
}

/** Where a request's slot comes from, or goes; null for one that neither branches off a run nor keeps its own. */
export function contentOf({ branch, keeps }: GenerateRequest, store: BlockStore): SlotContent | null {
  if (!branch && !keeps) return null;
  return {
    async restore(slot) {
      if (!branch) return 0;
      const { run, position } = branch;
      if (run.tokens === 0) throw new TillerError('step_failed', 'The run that this one branches off is gone.');
      const blocks = run.blocks.slice(0, Math.ceil(position / store.blockTokens));
      if (blocks.length > 0) await store.load(slot, 0, blocks);
      return position;
    },
    async keep(slot, tokens) {
      if (!keeps) return;
      try {
        // whole blocks: what is behind the last token is overwritten before it is looked at
        const blocks = await store.save(slot, 0, Math.ceil((tokens - 1) / store.blockTokens));
        keeps.keep(tokens, blocks, (block) => store.free(block));
      } catch (error) {
        keeps.fail(error);
      }
    },
  };
}
