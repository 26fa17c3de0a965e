import { TillerError } from './core/errors.ts';
import type { GenerateRequest, PromptLogits } from './core/request.ts';
import type { LogitsRow } from './core/step.ts';

/** What is told of the logits after a prompt, copied from the step's: nothing where nothing was asked for. */
export function promptLogitsOf(
  { promptLogits }: GenerateRequest,
  row: LogitsRow | undefined,
): { readonly logits?: PromptLogits } {
  if (promptLogits === undefined) return {};
  if (!row) throw new TillerError('step_failed', 'The step returned no logits after the prompt.');
  const full = promptLogits.length > 0 ? row.full() : new Float32Array();
  const values = Float32Array.from(promptLogits, (token) => full[token] as number);
  const { logSumExp, topValues, topTokenIds } = row;
  return { logits: { values, logSumExp, topValues, topTokenIds } };
}
