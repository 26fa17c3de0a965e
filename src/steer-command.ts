import { z } from 'zod';
import { TillerError } from '../engine/index.ts';
import type { SteeringBlock } from '../routes/services.ts';
import type { SteerReply, SteerRequest, SteerResult } from './cli/steer-result.ts';
import type { Config } from './config.ts';
import { withShownService } from './local-service.ts';
import type { ReadyModel } from './services.ts';
import { toWireEdit } from './wire-edit.ts';

const finish_reason = z.enum(['stop', 'length', 'rule']);
/** What this command reads of a chat completion, a completion or an error. */
const answerSchema = z.union([
  z.object({
    choices: z.tuple([
      z.union([
        z.object({ message: z.object({ content: z.string() }), finish_reason }),
        z.object({ text: z.string(), finish_reason }),
      ]),
    ]),
    usage: z.object({ completion_tokens: z.number() }),
    steering: z.custom<SteeringBlock>().optional(),
  }),
  z.object({ error: z.object({ message: z.string(), suggestions: z.array(z.string()).optional() }) }),
]);

/** Generates the same reply twice, without and with the edits, through the very routes that a client would call. */
export async function runSteer(config: Config, request: SteerRequest): Promise<SteerResult> {
  return withShownService({ ...config, maxRows: 2 }, async ({ app, model: ready }) => {
    const { path, body } = question(ready, request);
    const ask = async (steering?: unknown) => {
      const response = await app.request(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, ...(steering ? { steering } : {}) }),
      });
      return readAnswer(await response.json());
    };
    const { profile, rules } = request;
    const wanted = {
      ...(profile === null ? {} : { profile }),
      edits: request.edits.map(toWireEdit),
      ...(rules.length > 0 ? { rules } : {}),
    };
    const [plain, steered] = await Promise.all([ask(), ask(wanted)]);
    if (!steered.steering) throw new TillerError('internal', 'The steered reply does not say how it was steered.');
    return { model: ready.id, unsteered: plain.reply, steered: steered.reply, steering: steered.steering };
  });
}

/** One user message where the model has a chat template, plain text to go on from where it has none. */
function question(ready: ReadyModel, request: SteerRequest): { readonly path: string; readonly body: object } {
  const { prompt, maxTokens: max_tokens, seed, temperature, repetitionPenalty: repetition_penalty } = request;
  const common = { model: ready.id, max_tokens, seed, temperature, repetition_penalty };
  return ready.model.chatTemplate
    ? { path: '/v1/chat/completions', body: { ...common, messages: [{ role: 'user', content: prompt }] } }
    : { path: '/v1/completions', body: { ...common, prompt } };
}

function readAnswer(json: unknown): { readonly reply: SteerReply; readonly steering: SteeringBlock | undefined } {
  const answer = answerSchema.parse(json);
  if ('error' in answer) {
    const { message, suggestions } = answer.error;
    throw new TillerError('invalid_request', message, { suggestions });
  }
  const [choice] = answer.choices;
  const text = 'text' in choice ? choice.text : choice.message.content;
  const { finish_reason: finishReason } = choice;
  const reply = { text, finishReason, completionTokens: answer.usage.completion_tokens };
  return { reply, steering: answer.steering };
}
