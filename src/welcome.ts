import { type Registry, readsWhatItWrites, shownLabel } from '../sae-registry/index.ts';

/** A feature whose effect a stranger notices: prayers and heaven, in the bundled source. */
const shownFeature = { source: 'smollm2-135m-instruct/17-res-4k', index: 837, strength: 1.5, query: 'music' } as const;
const question = 'Tell me about your day.';

/** What the commands are made for. */
export interface WelcomeModel {
  readonly id: string;
  /** False: the checkpoint has no chat template, and is asked to continue text instead. */
  readonly chats: boolean;
  readonly registry: Pick<Registry, 'sources' | 'store'>;
}

/** What is printed once the service is ready: three commands to copy and paste, each of which works as it stands. */
export function welcome(url: string, { id, chats, registry }: WelcomeModel): string {
  const asked = chats ? { messages: [{ role: 'user', content: question }] } : { prompt: question };
  const plain = { model: id, ...asked, max_tokens: 40, temperature: 0, repetition_penalty: 1.1 };
  const ask = (body: unknown) => post(`${url}/v1/${chats ? 'chat/completions' : 'completions'}`, body);
  const lines = [`Tiller is ready: ${id} at ${url}`, '', 'A plain request:', ask(plain)];
  const feature = chooseFeature(registry);
  if (!feature)
    return text([
      ...lines,
      '',
      'No SAE to steer with is loaded for this model: give one with --source, or steer by vectors.',
    ]);
  const { label, edit, query } = feature;
  const other =
    query === null
      ? [
          'What is known of this feature:',
          `curl -s '${url}/api/v1/features/${edit.feature.split('/').map(encodeURIComponent).join('/')}'`,
        ]
      : ['Other features to steer by:', `curl -s '${url}/api/v1/features/search?q=${encodeURIComponent(query)}'`];
  const how = label === null ? '' : edit.mode === 'add' ? ` towards "${label}"` : ` without "${label}"`;
  return text([...lines, '', `The same, steered${how}:`, ask({ ...plain, steering: { edits: [edit] } }), '', ...other]);
}

/** The feature of the examples: the bundled one, else the first whose strength has a unit, else one to take away, or (of TopK, of a transcoder) to add. */
function chooseFeature({ sources, store }: Pick<Registry, 'sources' | 'store'>) {
  const writing = sources.filter(({ dictionary }) => dictionary.writesByRow);
  const source = writing.find(({ id }) => id === shownFeature.source) ?? writing[0];
  if (!source) return null;
  const shown = source.id === shownFeature.source;
  const known = shown ? shownFeature.index : firstWithUnit(source);
  const index = known ?? 0;
  const label = shownLabel(store, source.key, index);
  const feature = `${source.id}/${index}`;
  const add = { feature, mode: 'add', strength: shownFeature.strength } as const;
  const unknown = readsWhatItWrites(source)
    ? ({ feature, mode: 'ablate' } as const)
    : ({ ...add, unit: 'raw' } as const);
  const edit = known === null ? unknown : add;
  return { label, edit, query: shown ? shownFeature.query : longestWord(label) };
}

function firstWithUnit({ dictionary, statistics }: Registry['sources'][number]): number | null {
  for (let index = 0; index < dictionary.features; index++) {
    if ((statistics?.maxActivation(index) ?? 0) > 0) return index;
  }
  return null;
}

function longestWord(label: string | null): string | null {
  const words = label?.match(/\p{L}{3,}/gu) ?? [];
  return words.reduce<string | null>((best, word) => (word.length > (best?.length ?? 0) ? word : best), null);
}

function post(address: string, body: unknown): string {
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl -s ${address} -H 'content-type: application/json' -d '${json}'`;
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
