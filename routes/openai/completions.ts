import { createRoute } from '@hono/zod-openapi';
import type { GenerationEvent } from '../../engine/core/index.ts';
import { type ClientPresence, watchClient, whilePresent } from '../http/cancel.ts';
import { errorResponses, generationErrors } from '../http/error-responses.ts';
import { bodyHook, jsonBody } from '../http/json-body.ts';
import type { Merged } from '../http/merge.ts';
import type { Router } from '../http/router.ts';
import { dataEventsWith, doneEvent, sseResponse } from '../http/sse.ts';
import { modelsOf } from '../http/use-model.ts';
import type { Services } from '../services.ts';
import { coalesce, type StreamedEvent } from './coalesce.ts';
import { collectChoices } from './collect.ts';
import { CompletionLogprobWriter, joinLogprobs } from './completion-logprobs.ts';
import { type CompletionPlan, planCompletion } from './completion-plan.ts';
import { openAiErrorShape, streamFailure } from './errors.ts';
import { answerHead } from './from-engine.ts';
import { runGeneration } from './generation.ts';
import {
  type Completion,
  type CompletionChunk,
  type CompletionRequest,
  completionChunkSchema,
  completionRequestSchema,
  completionSchema,
} from './schemas/completions.ts';
import { StreamUsage } from './stream-usage.ts';
import { Tally } from './tally.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/completions',
  operationId: 'createCompletion',
  summary: 'Continue text or token ids, steered if asked',
  tags: ['OpenAI'],
  request: { body: { required: true, content: { 'application/json': { schema: completionRequestSchema } } } },
  responses: {
    200: {
      description: 'The answer, or with `stream` its chunks as server-sent events that end with `data: [DONE]`.',
      content: {
        'application/json': { schema: completionSchema },
        'text/event-stream': { schema: completionChunkSchema },
      },
    },
    ...errorResponses(generationErrors, openAiErrorShape),
  },
});

/** `POST /v1/completions`. */
export function registerCompletions(app: Router, services: Services): void {
  app.on('POST', route.path, jsonBody(completionRequestSchema, services));
  app.openapi(
    route,
    async (c) => {
      const body = c.req.valid('json');
      const presence = watchClient(c, () => services.metrics.clientGone(route.path));
      const plan = await whilePresent(
        presence,
        planCompletion(services, modelsOf(c, services), body, c.get('warnings'), presence.signal),
      );
      const events = runGeneration(plan.generation, presence);
      if (!body.stream) return c.json(await completeText(plan, events, presence), 200);
      return sseResponse(c, {
        events: streamText(plan, coalesce(events), body),
        presence,
        stallMilliseconds: services.limits.streamTimeoutSeconds * 1000,
        renderFailure: streamFailure(services, c, route.path),
      });
    },
    bodyHook(completionRequestSchema),
  );
}

async function completeText(
  plan: CompletionPlan,
  events: AsyncIterable<Merged<GenerationEvent>>,
  presence: ClientPresence,
): Promise<Completion> {
  const { generation } = plan;
  const tally = new Tally(generation);
  const choices = await collectChoices(generation, events, tally);
  presence.complete();
  return {
    ...answerHead(generation, 'text_completion'),
    choices: choices.map(({ text, promptLogprobs, logprobs, finish }, index) => {
      const writer = new CompletionLogprobWriter(generation.model.tokenizer);
      const echo = plan.echoOf(index);
      const echoed = echo ? [writer.prompt(echo.tokenIds, promptLogprobs ?? [], echo.textBegins)] : [];
      return {
        index,
        text: (echo?.text ?? '') + text,
        logprobs: plan.wantsLogprobs ? joinLogprobs([...echoed, writer.generated(logprobs)]) : null,
        finish_reason: finish.reason,
        stop_reason: finish.stopReason,
      };
    }),
    usage: tally.usage(),
    ...tally.extras(),
  };
}

/**
 * Chunks of a streamed answer: an echoed prompt first, then each choice's text as it becomes certain (in longer pieces for
 * a reader that does not keep up), its finish chunk (the
 * last choice's carries seed, steering and warnings), usage where asked for, `[DONE]`.
 */
async function* streamText(
  plan: CompletionPlan,
  events: AsyncIterable<Merged<StreamedEvent>>,
  body: CompletionRequest,
): AsyncGenerator<string> {
  const { generation } = plan;
  const tally = new Tally(generation);
  const usage = new StreamUsage(body.stream_options, tally);
  const render = dataEventsWith(answerHead(generation, 'text_completion'));
  const writers = generation.requests.map(() => new CompletionLogprobWriter(generation.model.tokenizer));
  type Choice = CompletionChunk['choices'][number];
  const chunk = (choice: Partial<Choice> & { index: number }, extras: Partial<CompletionChunk> = {}) =>
    render({
      choices: [{ text: '', logprobs: null, finish_reason: null, ...choice }],
      ...usage.each(),
      ...extras,
    });
  for await (const event of events) {
    tally.count(event);
    const { index, value } = event;
    const writer = writers[index];
    const echo = plan.echoOf(index);
    if (value.type === 'prompt') {
      if (!echo) continue;
      const logprobs = plan.wantsLogprobs
        ? (writer?.prompt(echo.tokenIds, value.logprobs ?? [], echo.textBegins) ?? null)
        : null;
      yield chunk({ index, text: echo.text, logprobs });
    } else if (value.type === 'tokens') {
      const logprobs = value.logprobs.length > 0 ? (writer?.generated(value.logprobs) ?? null) : null;
      if (value.text !== '' || logprobs) yield chunk({ index, text: value.text, logprobs });
    } else {
      yield chunk(
        { index, text: value.text, finish_reason: value.reason, stop_reason: value.stopReason },
        tally.complete ? tally.extras() : {},
      );
    }
  }
  if (usage.last) {
    yield render({ choices: [], usage: tally.usage() });
  }
  yield doneEvent;
}
