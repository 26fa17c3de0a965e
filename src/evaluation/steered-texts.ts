import { randomUUID } from 'node:crypto';
import { type GenerateRequest, inOrder } from '../../engine/index.ts';
import type { EvaluationPrompt, EvaluationSampling, ResolvedSteering, SteeredText } from '../../routes/services.ts';
import { perplexityOf, repetitionOf, type ScoredText, spreadOf } from '../../sae-registry/index.ts';
import { type EvaluationContext, togetherOf } from './context.ts';
import { generateText } from './generated-text.ts';
import { readReply } from './read-reply.ts';
import type { Scorer } from './scorers.ts';

/** One text to generate. */
export interface TextRun {
  readonly steering: ResolvedSteering;
  readonly prompt: number;
  readonly seed: number;
}

/** What all runs share. */
export interface TextRuns {
  readonly prompts: readonly EvaluationPrompt[];
  readonly sampling: EvaluationSampling;
  readonly scorers: readonly Scorer[];
  readonly signal: AbortSignal | null;
}

/** A text in both forms: as it is shown, and as figures are made of. */
export interface RunResult {
  readonly run: TextRun;
  readonly shown: SteeredText;
  readonly scored: ScoredText;
}

/** Generates and scores texts, several at once, in the order of the runs. Throws what `submit` throws. */
export function steeredTexts(
  runs: Iterable<TextRun>,
  shared: TextRuns,
  context: EvaluationContext,
): AsyncGenerator<RunResult> {
  const name = `evaluation-${randomUUID()}`;
  let count = 0;
  return inOrder(runs, { together: togetherOf(context), signal: shared.signal }, (run, signal) =>
    runOne(`${name}-${count++}`, run, { ...shared, signal }, context),
  );
}

async function runOne(id: string, run: TextRun, shared: TextRuns, context: EvaluationContext): Promise<RunResult> {
  const { steering, seed } = run;
  const { prompts, scorers, signal } = shared;
  const prompt = prompts[run.prompt] as EvaluationPrompt;
  const generated = await generateText(context.submit, requestOf(id, run, prompt, shared));
  const { tokenIds, text, finishReason, reports } = generated;
  const reading = await readReply(context, {
    id: `${id}-read`,
    promptTokenIds: prompt.readBehind ?? prompt.tokenIds,
    replyTokenIds: tokenIds,
    taps: [...new Set(scorers.flatMap(({ tap }) => tap ?? []))],
    edits: [],
    positions: null,
    signal,
  });
  const scores: (number | null)[] = [];
  for (const scorer of scorers) scores.push(await scorer.score({ prompt, steering, generated, reading, signal }));
  const scored: ScoredText = {
    tokens: tokenIds.length,
    logprob: reading.logprobs.reduce((sum, value) => sum + value, 0),
    repetition: repetitionOf(tokenIds),
    relativeDose: spreadOf(reports.map(({ relativeDose }) => relativeDose)).mean,
    scores,
  };
  const { repetition, tokens, relativeDose } = scored;
  const shown: SteeredText = {
    ...{ prompt: run.prompt, seed, text, finishReason, tokens, relativeDose, scores, ...repetition },
    perplexity: perplexityOf([scored]),
    steering: steering.report([reports], [seed]),
  };
  return { run, shown, scored };
}

function requestOf(
  id: string,
  { steering: { edits }, seed }: TextRun,
  prompt: EvaluationPrompt,
  { sampling, signal }: TextRuns,
): GenerateRequest {
  const { maxTokens, temperature, topP, repetitionPenalty } = sampling;
  return {
    id,
    promptTokenIds: prompt.tokenIds,
    sampling: {
      ...{ temperature, topP, repetitionPenalty, seed },
      ...{ topK: 0, minP: 0, frequencyPenalty: 0, presencePenalty: 0, logitBias: new Map() },
    },
    stop: { maxTokens, minTokens: 0, strings: [], tokenIds: [], ignoreEos: false, includeStopString: false },
    logprobs: null,
    promptLogprobs: null,
    edits,
    positionContext: prompt.positions(edits),
    deadline: null,
    signal,
  };
}
