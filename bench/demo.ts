/** npm run bench:demo: what steering by a few features does to fixed prompts, greedy, for the README. */
import { z } from 'zod';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config.ts';
import { createMetrics } from '../src/metrics/create-metrics.ts';
import { openModel } from '../src/open-model.ts';
import { AppServices, limitsOf } from '../src/services.ts';
import { cacheDirectory } from './checkout.ts';
import { writeResults } from './results.ts';

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

const config = loadConfig({ cacheDir: cacheDirectory });
const ready = await openModel(config);
const services = new AppServices({
  version: 'bench',
  limits: limitsOf(config),
  metrics: createMetrics(() => ({ name: ready.id, statistics: ready.engine.statistics() })).services,
});
services.serve(ready);
const app = createApp(services);
const source = ready.registry.sources[0];
if (!source) throw new Error('the default model has lost its source');

async function ask(prompt: string, steering?: unknown): Promise<string> {
  const { maxTokens: max_tokens, repetitionPenalty: repetition_penalty } = settings;
  const messages = [{ role: 'user', content: prompt }];
  const body = JSON.stringify({ messages, max_tokens, repetition_penalty, temperature: 0, seed: 0, steering });
  const headers = { 'content-type': 'application/json' };
  const response = await app.request('/v1/chat/completions', { method: 'POST', headers, body });
  return answer.parse(await response.json()).choices[0].message.content;
}

const shown = [];
for (const prompt of prompts) {
  console.log(prompt);
  const unsteered = await ask(prompt);
  const steered = [];
  for (const { index, strength } of features) {
    const text = await ask(prompt, { edits: [{ feature: `${source.id}/${index}`, mode: 'add', strength }] });
    steered.push({ index, label: source.labels.get(index)?.[0]?.text ?? '', strength, text });
    console.log(`  ${index}: ${text.replace(/\n/g, ' ')}`);
  }
  shown.push({ prompt, unsteered, steered });
}
console.log(writeResults('demo', { model: ready.id, source: source.id, settings, prompts: shown }));
await ready.engine.close();
