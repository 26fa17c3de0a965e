import { z } from 'zod';
import { contrastResponseSchema } from '../../routes/native/contrast-schemas.ts';
import { doseResponseSchema } from '../../routes/native/evaluation-schemas.ts';
import type { Config } from '../config.ts';
import type { demoSettings } from '../contrast-settings.ts';
import { type LocalService, withLocalService } from '../local-service.ts';
import type { OpenModelOptions } from '../open-model.ts';
import type { SettingValues } from '../setting.ts';
import type { ContrastAnswer } from './contrast-command.ts';
import { readDataSet } from './data-set.ts';

type DoseAnswer = z.infer<typeof doseResponseSchema>;

/** One of the two personas: the strength it takes, what that did, and a reply. */
export interface Persona {
  readonly side: 'positive' | 'negative';
  /** In median norms of the stream; null: no strength moved the replies and left them fluent. */
  readonly strength: number | null;
  /** In standard deviations of the unsteered replies' scores, towards the persona. */
  readonly change: number | null;
  readonly perplexityRatio: number | null;
  readonly reply: string | null;
}

export interface PersonalityDemo {
  readonly data: string;
  readonly prompt: string;
  readonly contrast: ContrastAnswer;
  readonly unsteered: string;
  readonly personas: readonly Persona[];
}

/** Strengths that are tried, in median norms of the stream. */
const strengths = [0.05, 0.08, 0.11, 0.14];
/** Replies by which a strength is judged; not the prompt that is shown. */
const testPrompts = [
  'What happened at work today?',
  'Describe the place where you live.',
  'How was the journey?',
  'What do you think of the rain?',
  'Tell me about a friend of yours.',
  'What should I eat tonight?',
];
const testTokens = 40;
/** What `--quick` leaves. */
const quick = { pairs: 60, prompts: 3 };

const chatSchema = z.object({ choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })]) });

/** `tiller demo personality`: contrasts two personas, makes the vector, finds its dose and answers as each, all through the routes. */
export async function runPersonality(
  config: Config,
  settings: SettingValues<typeof demoSettings>,
  { onStage, ...options }: OpenModelOptions & { readonly onStage: (text: string) => void },
): Promise<PersonalityDemo> {
  const { data, prompt } = settings;
  const classes = await readDataSet(data);
  const taken = settings.quick && 'pairs' in classes ? { pairs: everySo(classes.pairs, quick.pairs) } : classes;
  return withLocalService(config, options, async (service) => {
    const depth = service.model.model.config.blocks;
    const hookPoints = [0.4, 0.5, 0.6].map((part) => `blocks.${Math.floor(part * depth)}.hook_resid_post`);
    onStage(`Reading both personas of ${data}`);
    const body = { ...taken, hook_points: [...new Set(hookPoints)], features: { limit: 5 } };
    const contrast = contrastResponseSchema.parse(await service.post('/api/v1/contrast', body));
    const personas: Persona[] = [];
    for (const side of ['positive', 'negative'] as const) {
      onStage(`Finding the dose that makes replies ${side}`);
      personas.push(await findPersona(service, contrast, side, settings));
    }
    return { data, prompt, contrast, unsteered: await reply(service, settings, null), personas };
  });
}

async function findPersona(
  service: LocalService,
  { vector }: ContrastAnswer,
  side: Persona['side'],
  settings: SettingValues<typeof demoSettings>,
): Promise<Persona> {
  const direction = { hook_point: vector.hook_point, data: vector.data };
  const sign = side === 'positive' ? 1 : -1;
  // scaled by the median norm of the stream there where that is known, else by the distance between the classes
  const [unit, scale] = vector.relative_norm === null ? ['raw', 8] : ['stream_norm', 1];
  const edit = (strength: number) => ({ vector: direction, mode: 'add', unit, strength: sign * scale * strength });
  const evaluation: DoseAnswer = doseResponseSchema.parse(
    await service.post('/api/v1/steering/evaluate', {
      steering: { edits: [edit(1)] },
      strengths,
      prompts: testPrompts.slice(0, settings.quick ? quick.prompts : testPrompts.length),
      max_tokens: testTokens,
      targets: [{ probe: { vector: { ...direction, data: sign > 0 ? vector.data : negated(vector.data ?? '') } } }],
      include_texts: false,
    }),
  );
  const dose = evaluation.doses.find(({ strength }) => strength === evaluation.best);
  if (dose === undefined) return { side, strength: null, change: null, perplexityRatio: null, reply: null };
  return {
    side,
    strength: sign * dose.strength,
    change: dose.effects[0]?.change_in_deviations ?? null,
    perplexityRatio: dose.perplexity_ratio,
    reply: await reply(service, settings, { edits: [edit(dose.strength)] }),
  };
}

async function reply(
  service: LocalService,
  { prompt, maxTokens: max_tokens, seed }: SettingValues<typeof demoSettings>,
  steering: unknown,
): Promise<string> {
  const asked = {
    model: service.model.id,
    messages: [{ role: 'user', content: prompt }],
    max_tokens,
    seed,
    temperature: 0.7,
  };
  const answer = await service.post('/v1/chat/completions', { ...asked, ...(steering === null ? {} : { steering }) });
  return chatSchema.parse(answer).choices[0].message.content;
}

/** Base64 of float32 with every sign turned. */
function negated(data: string): string {
  const bytes = Buffer.from(data, 'base64');
  for (let at = 3; at < bytes.length; at += 4) bytes[at] ^= 0x80;
  return bytes.toString('base64');
}

/** So many items from all parts of a list. */
function everySo<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, items.length / count);
  return Array.from({ length: Math.min(count, items.length) }, (_, at) => items[Math.floor(at * step)]);
}
