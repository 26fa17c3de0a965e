import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRegistry, openStore } from '../../sae-registry/index.ts';
import { welcome } from '../../src/welcome.ts';

const url = 'http://127.0.0.1:8080';
const saes = join(import.meta.dirname, '../fixtures/tiny-sae');

function commands(text: string) {
  const lines = text.split('\n').filter((line) => line.startsWith('curl '));
  return lines.map((line) => {
    const [, address = '', body = ''] = /^curl -s '?([^' ]+)'?(?: -H '[^']*' -d '(.*)')?$/.exec(line) ?? [];
    return body === '' ? { address } : { address, body: JSON.parse(body.replaceAll("'\\''", "'")) };
  });
}

describe('the first words', () => {
  it('show the bundled feature in three commands', async () => {
    const id = 'smollm2-135m-instruct';
    const model = { id, dModel: 576, blocks: 30, hash: 'abc' };
    const registry = await openRegistry({ model, sources: [`${id}/17-res-4k`] });
    const text = welcome(url, { id, chats: true, registry });
    expect(text).toContain('steered towards "God, heaven and prayers"');
    const [plain, steered, search] = commands(text);
    expect(plain).toMatchObject({ address: `${url}/v1/chat/completions`, body: { model: id } });
    const edits = [{ feature: `${id}/17-res-4k/837`, mode: 'add', strength: 1.5 }];
    expect(steered?.body).toEqual({ ...plain?.body, steering: { edits } });
    expect(search).toEqual({ address: `${url}/api/v1/features/search?q=music` });
  });

  it('ask a model without a chat template to go on, and need no statistics or labels', async () => {
    const model = { id: 'tiny-model', dModel: 16, blocks: 4, hash: 'abc' };
    const registry = await openRegistry({ model, sources: [join(saes, 'jumprelu-v6')] });
    const [plain, steered, detail] = commands(welcome(url, { id: model.id, chats: false, registry }));
    expect(plain).toMatchObject({ address: `${url}/v1/completions`, body: { prompt: expect.any(String) } });
    const feature = 'tiny-model/jumprelu-v6/0';
    expect(steered?.body.steering).toEqual({ edits: [{ feature, mode: 'ablate' }] });
    expect(detail).toEqual({ address: `${url}/api/v1/features/${feature}` });
  });

  it('add where a feature cannot be read, and pass over a dictionary that cannot be steered with', async () => {
    const model = { id: 'tiny-model', dModel: 16, blocks: 4, hash: 'abc' };
    const kinds = join(saes, '../saes/saelens');
    const registry = await openRegistry({ model, sources: [join(kinds, 'layer-norm'), join(kinds, 'topk')] });
    const [, steered] = commands(welcome(url, { id: model.id, chats: true, registry }));
    const edits = [{ feature: 'tiny-model/topk/0', mode: 'add', strength: 1.5, unit: 'raw' }];
    expect(steered?.body.steering).toEqual({ edits });
  });

  it('say so where no SAE is loaded', async () => {
    const text = welcome(url, { id: 'm', chats: true, registry: { sources: [], store: await openStore(null) } });
    expect(commands(text)).toHaveLength(1);
    expect(text).toContain('--source');
  });
});
