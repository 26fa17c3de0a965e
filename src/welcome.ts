import type { Registry } from '../sae-registry/index.ts';

/** A feature whose effect a stranger notices: prayers and heaven, in the bundled source. */
const shownFeature = { source: 'smollm2-135m-instruct/17-res-4k', index: 837, strength: 1.5, query: 'music' } as const;

/** What is printed once the service is ready: three commands to copy and paste. */
export function welcome(url: string, modelId: string, registry: Registry): string {
  const source = registry.sources.find(({ id }) => id === shownFeature.source) ?? registry.sources[0];
  const index = source?.id === shownFeature.source ? shownFeature.index : 0;
  const message = { role: 'user', content: 'Tell me about your day.' };
  const plain = { model: modelId, messages: [message], max_tokens: 40, temperature: 0, repetition_penalty: 1.1 };
  const lines = [`Tiller is ready: ${modelId} at ${url}`, '', 'A plain request:', chat(url, plain)];
  if (source) {
    const label = source.labels.get(index)?.[0]?.text;
    const edit = { feature: `${source.id}/${index}`, mode: 'add', strength: shownFeature.strength };
    lines.push(
      '',
      `The same, steered${label ? ` towards "${label}"` : ''}:`,
      chat(url, { ...plain, steering: { edits: [edit] } }),
    );
    lines.push('', 'Other features to steer by:', `curl -s '${url}/api/v1/features/search?q=${shownFeature.query}'`);
  } else {
    lines.push('', 'No SAE is loaded for this model: give one with --source, or steer by vectors.');
  }
  return `${lines.join('\n')}\n`;
}

function chat(url: string, body: unknown): string {
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl -s ${url}/v1/chat/completions -H 'content-type: application/json' -d '${json}'`;
}
