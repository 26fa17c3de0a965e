import type { z } from 'zod';
import type { sweepRowSchema } from '../../routes/native/sweep-schemas.ts';
import { defaultFluencyLimits, doseResponse, type ScoredText } from '../../sae-registry/index.ts';

/** What is summed up of a row of a sweep. */
export type SummedRow = Omit<z.infer<typeof sweepRowSchema>, 'steering'>;

/** What each steering's doses did, where there is a control to compare with. */
export function sumUpSweep(rows: readonly SummedRow[], targets: readonly string[]) {
  const control = rows.filter(({ name }) => name === null).map(scored);
  const names = [...new Set(rows.flatMap(({ name }) => name ?? []))];
  const steerings = names.map((name) => {
    const own = rows.filter((row) => row.name === name);
    const strengths = [...new Set(own.flatMap(({ strength }) => strength ?? []))];
    const doses = strengths.map((strength) => ({
      strength,
      texts: own.filter((row) => row.strength === strength).map(scored),
    }));
    if (control.length === 0) return { name, texts: own.length };
    const found = doseResponse(control, doses, defaultFluencyLimits);
    return {
      name,
      texts: own.length,
      strongest_fluent: found.strongestFluent,
      best: found.best,
      doses: found.doses.map(({ strength, perplexityRatio, fluent, effects }) => ({
        ...{ strength, perplexity_ratio: perplexityRatio, fluent },
        changes: effects.map(({ change }, k) => ({ target: targets[k], change })),
      })),
    };
  });
  return { texts: rows.length, steerings };
}

function scored(row: SummedRow): ScoredText {
  return {
    tokens: row.tokens,
    logprob: row.perplexity === null ? 0 : -row.tokens * Math.log(row.perplexity),
    repetition: {
      distinctTrigrams: row.distinct_trigrams,
      longestRepeat: row.longest_repeat,
      repeatedShare: row.repeated_share,
    },
    relativeDose: row.relative_dose,
    scores: row.scores,
  };
}
