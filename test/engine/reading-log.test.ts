import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrayReading, type EditReading } from '../../engine/core/edit-reading.ts';
import { ReadingLog } from '../../engine/reading-log.ts';

/** A reading whose numbers say which edit and position they are of. */
function readingOf(edit: number, start: number, tokens: number): EditReading {
  const column = (field: number) =>
    Float32Array.from({ length: tokens }, (_, at) => edit * 1000 + (start + at) + field / 8);
  return arrayReading({
    gate: column(0),
    sink: column(1),
    coefficient: column(2),
    readingBefore: column(3),
    readingAfter: column(4),
    streamNorm: column(5),
  });
}

function fields(reading: EditReading | null): number[][] | null {
  if (reading === null) return null;
  return Array.from({ length: reading.tokens }, (_, at) => [
    reading.gate(at),
    reading.sink(at),
    reading.coefficient(at),
    reading.readingBefore(at),
    reading.readingAfter(at),
    reading.streamNorm(at),
  ]);
}

describe('ReadingLog', () => {
  it('gives back what was read, zeros where an edit touched nothing, and null beyond', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ tokens: fc.integer({ min: 1, max: 9 }), touched: fc.subarray([0, 1, 2]), forget: fc.nat(12) }),
          { minLength: 1, maxLength: 20 },
        ),
        fc.nat(60),
        fc.integer({ min: 1, max: 20 }),
        (steps, from, length) => {
          const log = new ReadingLog();
          const read = [0, 1, 2].map(() => new Set<number>());
          let end = 0;
          let kept = 0;
          for (const { tokens, touched, forget } of steps) {
            log.append(
              end,
              tokens,
              touched.map((edit) => [edit, readingOf(edit, end, tokens)]),
            );
            for (const edit of touched) for (let at = 0; at < tokens; at++) read[edit]?.add(end + at);
            end += tokens;
            kept = Math.max(kept, Math.min(end, forget * 4));
            log.forget(Math.min(end, forget * 4));
          }
          for (const edit of [0, 1, 2]) {
            const got = fields(log.between(edit, from, from + length));
            if (from < kept || from + length > end) expect(got).toBeNull();
            else {
              const whole = fields(readingOf(edit, from, length)) ?? [];
              expect(got).toEqual(whole.map((row, at) => (read[edit]?.has(from + at) ? row : row.map(() => 0))));
            }
          }
        },
      ),
    );
  });

  it('starts where the first step starts, and takes positions that are read again', () => {
    const log = new ReadingLog();
    log.append(16, 8, [[0, readingOf(0, 16, 8)]]);
    expect(log.between(0, 15, 17)).toBeNull();
    log.forget(20);
    log.append(12, 14, [[0, readingOf(0, 12, 14)]]);
    expect(fields(log.between(0, 20, 26))).toEqual(fields(readingOf(0, 20, 6)));
    log.append(0, 10, [[0, readingOf(0, 0, 10)]]);
    expect(fields(log.between(0, 20, 26))).toEqual(fields(readingOf(0, 20, 6)));
    log.close();
    expect(log.between(0, 20, 21)).toBeNull();
  });
});
