/** npm run bench:demo: what steering by a few features does to fixed prompts, greedy, for the README. */
import { z } from 'zod';
import { defaultModelName } from '../../engine/checkpoint/acquire/index.ts';
import { writeResults } from '../results.ts';
import { ServiceProcess } from '../service-process.ts';
import type { DemoResults } from './results.ts';

const prompts = ['Tell me about your day.', 'What should I do this weekend?', 'Write two sentences about the city.'];
/** Chosen for their effect on the output, with the strength at which it shows and the text still holds together. */
const features = [
  { index: 837, strength: 1.5 },
  { index: 307, strength: 2 },
  { index: 1126, strength: 2 },
  { index: 3926, strength: 2 },
  { index: 3873, strength: 1.2 },
] as const;
const settings = { maxTokens: 40, repetitionPenalty: 1.1 } as const;
const answer = z.object({ choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })]) });
const cards = z.object({ models: z.tuple([z.object({ id: z.string(), sources: z.tuple([z.string()]) })]) });

const service = await ServiceProcess.start(defaultModelName);
try {
  console.log(writeResults('demo', await run()));
} finally {
  await service.stop();
}

async function run(): Promise<DemoResults> {
  await service.waitForReady();
  const [{ id, sources }] = cards.parse(await get('/api/v1/models')).models;
  const [source] = sources;
  const labels = await Promise.all(features.map(({ index }) => labelOf(`${source}/${index}`)));
  const shown: DemoResults['prompts'] = [];
  for (const prompt of prompts) {
    console.log(prompt);
    const unsteered = await ask(prompt);
    const steered: DemoResults['prompts'][number]['steered'] = [];
    for (const [i, { index, strength }] of features.entries()) {
      const text = await ask(prompt, { edits: [{ feature: `${source}/${index}`, mode: 'add', strength }] });
      steered.push({ index, label: labels[i], strength, text });
      console.log(`  ${index}: ${text.replace(/\n/g, ' ')}`);
    }
    shown.push({ prompt, unsteered, steered });
  }
  return { model: id, source, settings, prompts: shown };
}

async function labelOf(feature: string): Promise<string> {
  const schema = z.object({ labels: z.array(z.object({ text: z.string() })) });
  return schema.parse(await get(`/api/v1/features/${feature}`)).labels[0]?.text ?? '';
}

async function ask(prompt: string, steering?: object): Promise<string> {
  const { maxTokens: max_tokens, repetitionPenalty: repetition_penalty } = settings;
  const messages = [{ role: 'user', content: prompt }];
  const body = { messages, max_tokens, repetition_penalty, temperature: 0, seed: 0, steering };
  const response = await service.post('/v1/chat/completions', body);
  return answer.parse(await response.json()).choices[0].message.content;
}

async function get(path: string): Promise<unknown> {
  return (await service.get(path)).json();
}
