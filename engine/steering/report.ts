import type { Edit } from '../core/edit.ts';
import type { EditReading } from '../core/edit-reading.ts';
import type { EditReport } from '../core/request.ts';
import { norm } from './linear-algebra.ts';
import { type Range, runningRange } from './running-range.ts';

/** Gathers what one edit did over the steps of a request. */
export interface EditReporter {
  /** Adds the readings of one step's tokens. */
  add(reading: EditReading): void;
  report(): EditReport;
}

/** A reporter with nothing in it yet. Counts, extremes and sums only: its size does not grow with the tokens. */
export function createEditReporter(edit: Edit): EditReporter {
  const writeNorm = norm(edit.write);
  const coefficient = runningRange();
  const dose = runningRange();
  const before = runningRange();
  const after = runningRange();
  let sinkTokens = 0;
  return {
    add(reading) {
      for (let t = 0; t < reading.tokens; t++) {
        if (reading.sink(t) > 0) sinkTokens++;
        const gate = reading.gate(t);
        if (!(gate > 0)) continue;
        const u = reading.coefficient(t);
        const streamNorm = reading.streamNorm(t);
        coefficient.add(u);
        // A stream of norm zero has no relative dose; it is left out of the mean.
        if (streamNorm > 0) dose.add((Math.abs(gate * u) * writeNorm) / streamNorm);
        before.add(reading.readingBefore(t));
        after.add(reading.readingAfter(t));
      }
    },
    report() {
      const range = coefficient.range();
      return {
        tokens: coefficient.count(),
        sinkTokens,
        coefficient: range && { min: range.min, max: range.max },
        relativeDose: dose.range()?.mean ?? null,
        readBefore: edit.read === null ? null : before.range(),
        readAfter: edit.read === null ? null : after.range(),
      };
    },
  };
}

/** One report for several runs of one edit (the choices of a request): counts add up, means weigh by tokens. */
export function mergeReports(reports: readonly EditReport[]): EditReport {
  const touched = reports.filter(({ tokens }) => tokens > 0);
  const tokens = sum(touched.map((report) => report.tokens));
  const doses = touched.filter(({ relativeDose }) => relativeDose !== null);
  const coefficients = touched.flatMap(({ coefficient }) => (coefficient ? [coefficient] : []));
  return {
    tokens,
    sinkTokens: sum(reports.map((report) => report.sinkTokens)),
    coefficient: coefficients.length === 0 ? null : extremes(coefficients),
    relativeDose:
      doses.length === 0
        ? null
        : sum(doses.map((report) => (report.relativeDose ?? 0) * report.tokens)) /
          sum(doses.map((report) => report.tokens)),
    readBefore: mergeRanges(touched, ({ readBefore }) => readBefore),
    readAfter: mergeRanges(touched, ({ readAfter }) => readAfter),
  };
}

function mergeRanges(reports: readonly EditReport[], pick: (report: EditReport) => Range | null): Range | null {
  const ranges = reports.flatMap((report) => {
    const range = pick(report);
    return range === null ? [] : [{ ...range, tokens: report.tokens }];
  });
  if (ranges.length === 0) return null;
  const mean = sum(ranges.map((range) => range.mean * range.tokens)) / sum(ranges.map((range) => range.tokens));
  return { ...extremes(ranges), mean };
}

function extremes(ranges: readonly { readonly min: number; readonly max: number }[]): { min: number; max: number } {
  return { min: Math.min(...ranges.map(({ min }) => min)), max: Math.max(...ranges.map(({ max }) => max)) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
