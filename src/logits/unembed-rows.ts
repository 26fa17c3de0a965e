import {
  type Executor,
  type LogitsRow,
  mostUnembedded,
  TillerError,
  type UnembeddingKind,
} from '../../engine/index.ts';
import { createTurnPace } from '../../engine/turn-pace.ts';

/**
 * Turns any number of vectors [rows, width] into logits, a piece between two steps of the engine, and gives each row to `read` while it
 * is there; the event loop turns between rows. Throws `cancelled`, and `step_failed` for logits that are not finite numbers.
 *
 * @param group rows that are read together: their logits are there at the same time
 */
export async function unembedRows<Result>(
  executor: Pick<Executor, 'unembed'>,
  kind: UnembeddingKind,
  vectors: Float32Array,
  read: (rows: readonly LogitsRow[], index: number) => Result,
  { width, signal, group = 1 }: { readonly width: number; readonly signal: AbortSignal; readonly group?: number },
): Promise<Result[]> {
  const results: Result[] = [];
  const pace = createTurnPace();
  const most = Math.floor(mostUnembedded / group) * group * width;
  for (let from = 0; from < vectors.length; from += most) {
    if (signal.aborted) throw new TillerError('cancelled', 'The request was cancelled by its caller.');
    await executor.unembed(kind, vectors.subarray(from, from + most), async (rows) => {
      pace.begin();
      for (let r = 0; r < rows.length; r += group) {
        if (pace.isDue()) await pace.turn();
        const own = rows.slice(r, r + group);
        if (!own.every(isWhole)) throw notFinite();
        results.push(read(own, results.length));
      }
    });
  }
  return results;
}

/** A single number that is none spoils the sum. */
function isWhole({ logSumExp, topValues }: LogitsRow): boolean {
  return Number.isFinite(logSumExp) && !topValues.some(Number.isNaN);
}

function notFinite(): TillerError {
  return new TillerError('step_failed', 'The logits are not finite numbers. Edits of this request may be too strong.');
}
