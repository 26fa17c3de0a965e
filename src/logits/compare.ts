import {
  type Executor,
  type GenerationEvent,
  greedyRequest,
  type PositionLogits,
  tellPosition,
} from '../../engine/index.ts';
import type { LogitsComparison, LogitsText, ModelService } from '../../routes/services.ts';
import { divergence } from './divergence.ts';
import { KeptTaps } from './kept-taps.ts';
import { unembedRows } from './unembed-rows.ts';

export interface ComparisonContext {
  readonly submit: ModelService['submit'];
  readonly executor: Pick<Executor, 'unembed'>;
  /** Width of the stream, and its number of blocks. */
  readonly width: number;
  readonly blocks: number;
}

let comparisons = 0;

/**
 * Reads a text with its edits and without, and what the next token is at each position in both. What is kept of either is the stream
 * where the last block leaves it; pairs of logits are made of it a few positions at a time, so that two whole vocabularies are held of
 * those alone. Edits of the final norm are made before the place that is kept then, which is its `hook_normalized`.
 */
export async function compareLogits(context: ComparisonContext, text: LogitsText): Promise<LogitsComparison> {
  const { width, executor } = context;
  const { logits, tokenIds, signal } = text;
  const insideNorm = text.edits.some(({ hookPoint }) => hookPoint.startsWith('ln_final.'));
  const place = insideNorm ? 'ln_final.hook_normalized' : `blocks.${context.blocks - 1}.hook_resid_post`;
  const left = new AbortController();
  const both = { ...text, signal: AbortSignal.any([signal, left.signal]) };
  const [steered, unsteered] = await Promise.all([
    keep(context, both, place),
    keep(context, { ...both, edits: [] }, place),
  ]).finally(() => left.abort());
  const positions = [...logits.mask.keys()].filter((position) => logits.mask[position] === 1);
  const pairs = new Float32Array(2 * steered.values.length);
  for (let r = 0; r < positions.length; r++) {
    pairs.set(steered.values.subarray(r * width, (r + 1) * width), 2 * r * width);
    pairs.set(unsteered.values.subarray(r * width, (r + 1) * width), (2 * r + 1) * width);
  }
  const told: { a: PositionLogits; b: PositionLogits; divergence: number }[] = await unembedRows(
    executor,
    insideNorm ? 'normalised' : 'stream',
    pairs,
    ([first, second], r) => {
      const position = positions[r] as number;
      const next = tokenIds[position + 1];
      if (!first || !second) throw new RangeError('a pair of logits is not whole');
      return {
        a: tellPosition(position, first, logits, next),
        b: tellPosition(position, second, logits, next),
        divergence: divergence(first.full(), second.full()),
      };
    },
    { width, signal, group: 2 },
  );
  return {
    steered: told.map(({ a }) => a),
    unsteered: told.map(({ b }) => b),
    divergence: told.map((each) => each.divergence),
    edits: steered.finish?.edits ?? [],
  };
}

async function keep(
  { submit, width }: ComparisonContext,
  { tokenIds, edits, positionContext, logits, signal }: LogitsText,
  place: string,
): Promise<{ readonly values: Float32Array; readonly finish: Extract<GenerationEvent, { type: 'finish' }> | null }> {
  const kept = new KeptTaps(logits.mask, new Map([[place, width]]));
  const id = `comparison-${++comparisons}`;
  let finish: Extract<GenerationEvent, { type: 'finish' }> | null = null;
  for await (const event of submit(greedyRequest(id, tokenIds, 0, { edits, positionContext, taps: [place], signal }))) {
    if (event.type === 'activations') kept.take(event);
    if (event.type === 'finish') finish = event;
  }
  return { values: kept.of(place), finish };
}
