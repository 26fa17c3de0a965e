import type { AutoSteer, AutoSteerRequest, EvaluationPrompt, TextTarget } from '../../routes/services.ts';
import { doseResponse, type ScoredText } from '../../sae-registry/index.ts';
import { textRuns } from '../evaluation/dose-evaluation.ts';
import { scorersOf } from '../evaluation/scorers.ts';
import { steeredTexts } from '../evaluation/steered-texts.ts';
import { type AutoSteerContext, chatTokens, systemPrompt } from './chat-tokens.ts';

/** The prompts answered as a system prompt asks, without steering; the texts are read behind the plain prompts, as steered ones are. */
export async function promptedTexts(
  request: AutoSteerRequest,
  prompts: readonly (EvaluationPrompt & { readonly user: string })[],
  targets: readonly TextTarget[],
  context: AutoSteerContext,
): Promise<AutoSteer['prompted']> {
  const { seeds, sampling, signal, limits, specification } = request;
  const scorers = scorersOf(targets, context);
  const asking: EvaluationPrompt[] = [];
  for (const { user, param, tokenIds } of prompts) {
    const prompt = await chatTokens(context, { user, system: systemPrompt(specification), param });
    asking.push({ ...prompt, readBehind: tokenIds });
  }
  const steering = context.resolveSteering({ edits: [] });
  const run = async (shared: readonly EvaluationPrompt[]) => {
    const scored: ScoredText[] = [];
    const samples: AutoSteer['prompted']['samples'][number][] = [];
    const runs = textRuns(steering, shared.length, seeds);
    for await (const result of steeredTexts(runs, { prompts: shared, sampling, scorers, signal }, context)) {
      scored.push(result.scored);
      samples.push(result.shown);
    }
    return { scored, samples };
  };
  const plain = await run(prompts);
  const asked = await run(asking);
  const [point] = doseResponse(plain.scored, [{ strength: 1, texts: asked.scored }], limits).doses;
  if (!point) throw new RangeError('a dose without a point');
  return { ...point, samples: asked.samples };
}
