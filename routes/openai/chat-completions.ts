import { createRoute } from '@hono/zod-openapi';
import { type GenerationEvent, TillerError, type TokenLogprob } from '../../engine/core/index.ts';
import { type ClientPresence, watchClient, whilePresent } from '../http/cancel.ts';
import { errorResponses, generationErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Merged } from '../http/merge.ts';
import { mostChoices } from '../http/most-choices.ts';
import type { Router, Warning } from '../http/router.ts';
import { dataEventsWith, doneEvent, sseResponse } from '../http/sse.ts';
import { modelsOf, type UseModel } from '../http/use-model.ts';
import { toChatPrompt } from '../prompts/chat-prompt.ts';
import { chatPositionContext } from '../prompts/position-context.ts';
import type { Services } from '../services.ts';
import { coalesce, type StreamedEvent } from './coalesce.ts';
import { collectChoices } from './collect.ts';
import { openAiErrorShape, streamFailure } from './errors.ts';
import { answerHead, chatLogprobs } from './from-engine.ts';
import { type Generation, planGeneration, resolveTarget, runGeneration } from './generation.ts';
import { toChatMessages } from './messages.ts';
import {
  type ChatChunk,
  type ChatCompletion,
  type ChatRequest,
  chatChunkSchema,
  chatCompletionSchema,
  chatRequestSchema,
} from './schemas/chat.ts';
import { StreamUsage } from './stream-usage.ts';
import { Tally } from './tally.ts';
import { chooseMaxTokens, refuseUnsupported, toChoices, toDeadline, toSampling, toStopRules } from './to-engine.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/chat/completions',
  operationId: 'createChatCompletion',
  summary: 'Answer a conversation, steered if asked',
  tags: ['OpenAI'],
  request: { body: { required: true, content: { 'application/json': { schema: chatRequestSchema } } } },
  responses: {
    200: {
      description: 'The answer, or with `stream` its chunks as server-sent events that end with `data: [DONE]`.',
      content: {
        'application/json': { schema: chatCompletionSchema },
        'text/event-stream': { schema: chatChunkSchema },
      },
    },
    ...errorResponses(generationErrors, openAiErrorShape),
  },
});

/** `POST /v1/chat/completions`. */
export function registerChatCompletions(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(chatRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const presence = watchClient(c, () => services.metrics.clientGone(route.path));
      const generation = await whilePresent(
        presence,
        planChat(services, modelsOf(c, services), body, c.get('warnings'), presence.signal),
      );
      const events = runGeneration(generation, presence);
      if (!body.stream) return c.json(await completeChat(generation, events, presence), 200);
      return sseResponse(c, {
        events: streamChat(generation, coalesce(events), body),
        presence,
        stallMilliseconds: services.limits.streamTimeoutSeconds * 1000,
        renderFailure: streamFailure(services, c, route.path),
      });
    },
    bodyHook(chatRequestSchema),
  );
}

/** Everything that can be refused is refused here, before anything is queued. */
async function planChat(
  services: Services,
  use: UseModel,
  body: ChatRequest,
  warnings: readonly Warning[],
  signal: AbortSignal,
): Promise<Generation> {
  const deadline = toDeadline(body);
  refuseUnsupported(body);
  const { messages, warnings: messageWarnings } = toChatMessages(body.messages);
  const target = await resolveTarget(services, use, body);
  const { card, tokenizer } = target.model;
  const prompt = await toChatPrompt(target.model, messages, { ...body, signal });
  const newName = body.max_completion_tokens !== undefined && body.max_completion_tokens !== null;
  const maxTokens = chooseMaxTokens(
    prompt.tokenIds.length,
    body.max_completion_tokens ?? body.max_tokens ?? null,
    card.contextLength,
    services.limits.maxReplyTokens,
    { prompt: 'messages', maxTokens: newName ? 'max_completion_tokens' : 'max_tokens' },
  );
  return planGeneration({
    idPrefix: 'chatcmpl',
    target,
    prompts: [
      {
        tokenIds: prompt.tokenIds,
        stop: toStopRules(body, maxTokens, tokenizer.vocabularySize),
        positions: (edits) => chatPositionContext(prompt, tokenizer, edits),
      },
    ],
    choices: toChoices(body.n, 1, mostChoices(services.limits, card)),
    sampling: toSampling(body, tokenizer.vocabularySize),
    logprobs: toLogprobs(body),
    promptLogprobs: null,
    deadline,
    warnings: [...warnings, ...messageWarnings],
  });
}

/** How many alternatives to report; null for no log-probabilities. */
function toLogprobs({ logprobs, top_logprobs: top }: ChatRequest): number | null {
  if (logprobs) return top ?? 0;
  if (!top) return null;
  throw new TillerError('invalid_request', "'top_logprobs' needs 'logprobs': true.", { param: 'top_logprobs' });
}

async function completeChat(
  generation: Generation,
  events: AsyncIterable<Merged<GenerationEvent>>,
  presence: ClientPresence,
): Promise<ChatCompletion> {
  const { tokenizer } = generation.model;
  const tally = new Tally(generation);
  const choices = await collectChoices(generation, events, tally);
  presence.complete();
  return {
    ...answerHead(generation, 'chat.completion'),
    choices: choices.map(({ text, logprobs, finish }, index) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: generation.requests[index]?.logprobs === null ? null : chatLogprobs(logprobs, tokenizer),
      finish_reason: finish.reason,
      stop_reason: finish.stopReason,
    })),
    usage: tally.usage(),
    ...tally.extras(),
  };
}

/**
 * Chunks of a streamed answer: the role of each choice first, then its text as it becomes certain (in longer pieces for a
 * reader that does not keep up), then its finish chunk (the
 * last choice's carries seed, steering and warnings), then usage where asked for, then `[DONE]`.
 */
async function* streamChat(
  generation: Generation,
  events: AsyncIterable<Merged<StreamedEvent>>,
  body: ChatRequest,
): AsyncGenerator<string> {
  const tally = new Tally(generation);
  const usage = new StreamUsage(body.stream_options, tally);
  const render = dataEventsWith(answerHead(generation, 'chat.completion.chunk'));
  const chunk = (choice: ChatChunk['choices'][number], extras: Partial<ChatChunk> = {}) =>
    render({ choices: [choice], ...usage.each(), ...extras });
  const delta = (index: number, text: string, logprobs: readonly TokenLogprob[]) =>
    chunk({
      index,
      delta: { content: text },
      logprobs: logprobs.length > 0 ? chatLogprobs(logprobs, generation.model.tokenizer) : null,
      finish_reason: null,
    });
  for await (const event of events) {
    tally.count(event);
    const { index, value } = event;
    if (value.type === 'prompt') {
      yield chunk({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null });
    } else if (value.type === 'tokens') {
      if (value.text !== '' || value.logprobs.length > 0) yield delta(index, value.text, value.logprobs);
    } else {
      if (value.text !== '') yield delta(index, value.text, []);
      yield chunk(
        { index, delta: {}, logprobs: null, finish_reason: value.reason, stop_reason: value.stopReason },
        tally.complete ? tally.extras() : {},
      );
    }
  }
  if (usage.last) {
    yield render({ choices: [], usage: tally.usage() });
  }
  yield doneEvent;
}
