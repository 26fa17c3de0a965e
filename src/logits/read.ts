import { type EditReport, greedyRequest, type PositionLogits, tellPosition } from '../../engine/index.ts';
import type { LogitsQuery, LogitsReading } from '../../routes/services.ts';
import type { ComparisonContext } from './compare.ts';
import { finalScale, readDirection } from './direction-effect.ts';
import { KeptTaps } from './kept-taps.ts';
import { unembedRows } from './unembed-rows.ts';

let readings = 0;

/** The model's own logits of a text and, out of the same run, those of the lens and of directions. */
export async function readLogits(context: ComparisonContext, query: LogitsQuery): Promise<LogitsReading> {
  const { submit, executor, width } = context;
  const { tokenIds, edits, positionContext, logits, lens, directions, signal } = query;
  const read = directions.flatMap(({ coefficient, hookPoint }) => (typeof coefficient === 'number' ? [] : [hookPoint]));
  const widths = new Map([...lens, ...read].map((name) => [name, width]));
  if (directions.length > 0) widths.set(finalScale, 1);
  const kept = new KeptTaps(logits.mask, widths);
  const taps = [...widths.keys()];
  const positions: PositionLogits[] = [];
  let reports: readonly EditReport[] = [];
  const more = { edits, positionContext, promptLogits: logits, signal, ...(taps.length > 0 ? { taps } : {}) };
  for await (const event of submit(greedyRequest(`logits-${++readings}`, tokenIds, 0, more))) {
    if (event.type === 'logits') positions.push(...event.rows);
    if (event.type === 'activations') kept.take(event);
    if (event.type === 'finish') reports = event.edits;
  }
  const places: LogitsReading['lens'][number][] = [];
  for (const hookPoint of lens) {
    const told = await unembedRows(
      executor,
      'stream',
      kept.of(hookPoint),
      ([row], r) => {
        const position = positions[r]?.position ?? 0;
        if (!row) throw new RangeError('a row of logits is not there');
        return tellPosition(position, row, logits, tokenIds[position + 1]);
      },
      { width, signal },
    );
    places.push({ hookPoint, positions: told });
  }
  const written: LogitsReading['directions'][number][] = [];
  for (const direction of directions) {
    written.push(await readDirection(executor, direction, { kept, positions, logits, width, signal }));
  }
  return { positions, lens: places, directions: written, edits: reports };
}
