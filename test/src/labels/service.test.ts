import { describe, expect, it } from 'vitest';
import { labelsOf, openStore, registerSource } from '../../../sae-registry/index.ts';
import { labelService } from '../../../src/labels/service.ts';
import { sourceFacts } from '../../sae-registry/store/source-facts.ts';

describe('labels by hand', () => {
  it('are of the method manual, there once, and shown before what a model wrote', async () => {
    const store = await openStore(null);
    const { key } = registerSource(store, sourceFacts());
    const labels = labelService((model) => ({ store, model }));
    const add = (index: string) =>
      labels.add('tiny-model', 'res', index, { text: 'cats', author: 'me', clarity: null });
    store.connection.exec(
      `insert into labels (source, feature, text, method, author) values (${key}, 3, 'felines', 'llm', 'm');
       insert into label_scores (label, method, author, score) values (1, 'detection', 'j', 0.9)`,
    );
    expect([add('3'), add('3')]).toEqual([true, false]);
    expect(labelsOf(store, key, 3)).toMatchObject([
      { text: 'cats', method: 'manual', author: 'me', scores: [] },
      { text: 'felines' },
    ]);
    for (const index of ['24', '-1', '1.5', '1e0', '']) {
      expect(() => add(index)).toThrow(/There is no feature '.*' of tiny-model\/res\. Its features are 0 to 23\./);
    }
    expect(() => labels.add('tiny-model', 'other', '3', { text: 'x', author: 'y', clarity: null })).toThrow(
      /no source/,
    );
    store.close();
  });
});
