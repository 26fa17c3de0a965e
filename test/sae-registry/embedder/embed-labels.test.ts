import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { embedLabels, type LabelProgress } from '../../../sae-registry/embedder/embed-labels.ts';
import { toUnit } from '../../../sae-registry/embedder/embedding.ts';
import { type SearchStore, searchStore } from '../search/search-store.ts';

let its: SearchStore;

beforeEach(async () => {
  its = await searchStore();
});

afterEach(() => its.remove());

/** Directions that tell the texts' lengths. */
function counting(hash = 'test') {
  const seen: string[] = [];
  const embed = async (texts: readonly string[]) => {
    seen.push(...texts);
    return texts.map((text) => toUnit(Float32Array.from({ length: 384 }, (_, i) => (i === text.length ? 1 : 0))));
  };
  return { seen, hash, embed };
}

/** Runs until everything is embedded, or `until` says that it is enough. */
async function run(
  embedder = counting(),
  until: (progress: LabelProgress) => boolean = ({ done, total }) => done === total,
) {
  const stopping = new AbortController();
  const progress: LabelProgress[] = [];
  await embedLabels({
    store: its.store,
    embedder,
    busy: () => false,
    signal: stopping.signal,
    onProgress: (now) => {
      progress.push(now);
      if (until(now)) stopping.abort();
    },
  });
  return progress;
}

const stored = () =>
  its.store.connection.prepare('select label, embedder, length(embedding) as bytes from label_embeddings').all();

describe('embedding labels', () => {
  it('embeds each once, and goes on where it was cut off', async () => {
    its.label(
      its.source('toy/a'),
      Array.from({ length: 200 }, (_, at) => `label ${at}`),
    );
    const first = counting();
    const progress = await run(first, ({ done }) => done >= 64);
    expect(progress.at(-1)).toEqual({ done: 64, total: 200 });
    const second = counting();
    await run(second);
    expect([...first.seen, ...second.seen]).toHaveLength(200);
    expect(new Set([...first.seen, ...second.seen]).size).toBe(200);
    expect(stored()).toHaveLength(200);
    expect(stored()[0]).toEqual({ label: 1, embedder: 'test', bytes: 384 });
    const third = counting();
    await run(third);
    expect(third.seen).toEqual([]);
  });

  it('begins anew with another embedder', async () => {
    its.label(its.source('toy/a'), ['a', 'b']);
    await run();
    await run(counting('another'));
    expect(stored()).toEqual([1, 2].map((label) => ({ label, embedder: 'another', bytes: 384 })));
  });

  it('sees labels that come or change while it runs', async () => {
    const source = its.source('toy/a');
    its.label(source, ['a', 'b']);
    const embedder = counting();
    let step = 0;
    await run(embedder, ({ done, total }) => {
      if (done !== total) return false;
      step++;
      if (step === 1) its.label(source, ['c'], { first: 5 });
      if (step === 2) its.store.connection.prepare(`update labels set text = 'changed' where id = 1`).run();
      return embedder.seen.includes('changed') && done === 3;
    });
    expect(embedder.seen).toEqual(['a', 'b', 'c', 'changed']);
    expect(stored()).toHaveLength(3);
  });

  it('rests nine tenths of the time while requests are served', async () => {
    its.label(
      its.source('toy/a'),
      Array(16)
        .fill(0)
        .map((_, at) => `${at}`),
    );
    const stopping = new AbortController();
    const embedder = counting();
    const slow = async (texts: readonly string[]) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return embedder.embed(texts);
    };
    const began = performance.now();
    await embedLabels({
      store: its.store,
      embedder: { hash: 'test', embed: slow },
      busy: () => true,
      signal: stopping.signal,
      onProgress: ({ done, total }) => done === total && stopping.abort(),
    });
    expect(performance.now() - began).toBeGreaterThan(2 * 10 * 20 * 0.9);
  });
});
