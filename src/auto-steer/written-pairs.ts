import { randomUUID } from 'node:crypto';
import { greedyRequest, inOrder, TillerError } from '../../engine/index.ts';
import type { AutoSteerRequest, EvaluationPrompt, ReplyPair } from '../../routes/services.ts';
import { togetherOf } from '../evaluation/context.ts';
import { generateText } from '../evaluation/generated-text.ts';
import { type AutoSteerContext, chatTokens, systemPrompt } from './chat-tokens.ts';
import { writingQuestions } from './questions.ts';

/** A pair with its tokens; both replies stand behind the same prompt, which asks for nothing. */
export interface TokenPair extends ReplyPair {
  readonly asked: EvaluationPrompt;
  readonly positiveTokens: Int32Array;
  readonly negativeTokens: Int32Array;
}

/** Fewer pairs than this tell nothing apart that could be held out. */
const fewestPairs = 4;
const temperature = 0.7;

/** The pairs of a request, or what the model writes when it is asked for the behaviour and when it is not. Throws `invalid_request` for too few. */
export async function replyPairs(request: AutoSteerRequest, context: AutoSteerContext): Promise<readonly TokenPair[]> {
  const pairs =
    request.pairs === null ? await writtenPairs(request, context) : await givenPairs(request.pairs, context);
  const usable = pairs.filter(
    ({ positiveTokens, negativeTokens }) =>
      positiveTokens.length > 0 && negativeTokens.length > 0 && positiveTokens.join() !== negativeTokens.join(),
  );
  if (usable.length >= fewestPairs) return usable;
  const message = `Of ${pairs.length} pairs of replies ${usable.length} differ, and at least ${fewestPairs} are needed: give 'pairs', or more 'questions'.`;
  throw new TillerError('invalid_request', message, { param: request.pairs === null ? 'questions' : 'pairs' });
}

async function givenPairs(pairs: readonly ReplyPair[], context: AutoSteerContext): Promise<TokenPair[]> {
  const made: TokenPair[] = [];
  for (const [i, pair] of pairs.entries()) {
    const asked = await chatTokens(context, { user: pair.prompt, system: null, param: `pairs[${i}]` });
    const tokens = (text: string) => context.encode(text, { addSpecialTokens: false });
    made.push({
      ...{ ...pair, asked },
      positiveTokens: await tokens(pair.positive),
      negativeTokens: await tokens(pair.negative),
    });
  }
  return made;
}

async function writtenPairs(request: AutoSteerRequest, context: AutoSteerContext): Promise<TokenPair[]> {
  const { specification, questions, sampling, signal } = request;
  const name = `auto-steer-${randomUUID()}`;
  const asked = (questions ?? writingQuestions).map((question, i) => ({ question, i }));
  const made: TokenPair[] = [];
  // both replies of a question are under way at once
  const together = Math.max(1, Math.floor(togetherOf(context) / 2));
  for await (const pair of inOrder(asked, { together, signal }, async ({ question, i }, stop) => {
    const param = `questions[${i}]`;
    const plain = await chatTokens(context, { user: question, system: null, param });
    const wanted = await chatTokens(context, { user: question, system: systemPrompt(specification), param });
    const reply = async (prompt: EvaluationPrompt, kind: string) => {
      const base = greedyRequest(`${name}-${i}-${kind}`, prompt.tokenIds, sampling.maxTokens, { signal: stop });
      const request = { ...base, sampling: { ...base.sampling, temperature, seed: i } };
      const { text, tokenIds } = await generateText(context.submit, request);
      return { text, tokens: Int32Array.from(tokenIds.filter((id) => !context.tokenizer.specialTokenIds.has(id))) };
    };
    const [positive, negative] = await Promise.all([reply(wanted, 'wanted'), reply(plain, 'plain')]);
    return {
      ...{ prompt: question, positive: positive.text, negative: negative.text, asked: plain },
      ...{ positiveTokens: positive.tokens, negativeTokens: negative.tokens },
    };
  })) {
    made.push(pair);
  }
  return made;
}
