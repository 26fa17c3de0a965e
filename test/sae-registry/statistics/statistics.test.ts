import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SparseActivations } from '../../../engine/core/index.ts';
import {
  cofiringsOf,
  examplesOf,
  findJob,
  openStore,
  registerSource,
  runStatisticsJob,
  type Source,
  type Store,
  statisticsOf,
} from '../../../sae-registry/index.ts';
import { TokenCounts } from '../../../sae-registry/statistics/token-counts.ts';
import { percentileFromTop, TopValues } from '../../../sae-registry/statistics/top-values.ts';
import { ValueBins } from '../../../sae-registry/statistics/value-bins.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const features = 12;
const random = randomNumbers(5);
const unit = () => random() + 0.5;

interface Text {
  readonly tokenIds: Int32Array;
  readonly activations: SparseActivations;
}

/** Random texts: some features dense, some silent, a token beyond the sink norm now and then. */
const texts: Text[] = Array.from({ length: 60 }, () => {
  const tokens = 2 + Math.floor(unit() * 40);
  const rows = Array.from({ length: tokens }, () =>
    Array.from({ length: features }, (_, j) => j).filter((j) => j < 10 && unit() < 0.6 / (j + 1)),
  );
  const offsets = new Uint32Array(tokens + 1);
  rows.forEach((row, t) => {
    offsets[t + 1] = (offsets[t] as number) + row.length;
  });
  return {
    tokenIds: Int32Array.from({ length: tokens }, () => Math.floor(unit() * 30)),
    activations: {
      tokens,
      offsets,
      indices: Uint32Array.from(rows.flat()),
      values: Float32Array.from(rows.flat(), (j) => (j + 1) * (unit() ** 3 * 20 + 0.01)),
      active: Uint32Array.from(rows, (row) => row.length),
      norms: Float32Array.from({ length: tokens }, () => (unit() < 0.05 ? 5000 : 100)),
    },
  };
});

/** Every activation that counts. */
function all(feature: number) {
  const found: { value: number; token: number; text: number }[] = [];
  let counted = 0;
  for (const [text, { tokenIds, activations: a }] of texts.entries()) {
    for (let t = 1; t < a.tokens; t++) {
      if ((a.norms[t] as number) > 1000) continue;
      counted++;
      for (let at = a.offsets[t] as number; at < (a.offsets[t + 1] as number); at++) {
        if (a.indices[at] === feature)
          found.push({ value: a.values[at] as number, token: tokenIds[t] as number, text });
      }
    }
  }
  return { found, counted };
}

function sourceIn(store: Store): Source {
  const known = registerSource(store, {
    model: 'm',
    name: 's',
    hookPoint: 'blocks.0.hook_resid_post',
    hookPointOut: null,
    layer: 0,
    kind: 'autoencoder',
    activation: 'relu',
    features,
    dIn: 4,
    dOut: 4,
    hash: 'h',
    path: '/nowhere',
  });
  return { key: known.key, id: 'm/s', card: { id: 'm/s', sink_norm: 1000 }, dictionary: { features } } as Source;
}

async function* sequencesOf(given: readonly Text[]) {
  for (const { tokenIds } of given) yield tokenIds;
}

/** Reads by looking up; fails before the text of a number. */
const reader = (failAt = Number.POSITIVE_INFINITY) =>
  async function* (sequences: AsyncIterable<Int32Array>) {
    for await (const tokenIds of sequences) {
      const at = texts.findIndex((text) => text.tokenIds === tokenIds);
      if (at >= failAt) throw new Error('killed');
      yield texts[at] as Text;
    }
  };

const job = (store: Store, more: object = {}) => ({
  store,
  source: sourceIn(store),
  text: 'a file',
  sequences: sequencesOf(texts),
  read: reader(),
  tokenText: (id: number) => `t${id}`,
  ...more,
});

function written(store: Store, source: Source) {
  return Array.from({ length: features }, (_, j) => ({
    figures: statisticsOf(store, source.key, j),
    examples: examplesOf(store, source.key, j),
    cofirings: cofiringsOf(store, source.key, j),
  }));
}

describe('statistics of features over texts', () => {
  it('are those of all activations that count, taken together', async () => {
    const store = await openStore(null);
    const options = job(store);
    const outcome = await runStatisticsJob(options);
    expect(outcome).toMatchObject({ texts: 60, silent: 2, truncated: 0, resumed: 0, tokens: all(0).counted });
    for (let j = 0; j < features; j++) {
      const { found, counted } = all(j);
      const figures = statisticsOf(store, options.source.key, j);
      const values = found.map(({ value }) => value).sort((a, b) => a - b);
      expect(figures?.density).toBeCloseTo(values.length / counted, 12);
      expect(figures?.version).toBe(outcome.version);
      if (values.length === 0) {
        expect(figures).toMatchObject({ max: 0, p999: 0, mean: 0, topTokens: [] });
        continue;
      }
      expect(figures?.max).toBe(values.at(-1));
      expect(figures?.mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 6);
      const place = (values.length - 1) * 0.999;
      const [low, high] = [values[Math.floor(place)] as number, values[Math.ceil(place)] as number];
      expect(figures?.p999).toBeCloseTo(low + (high - low) * (place % 1), 6);
      const bins = new Array<number>(20).fill(0);
      for (const value of values) {
        const bin = Math.min(19, Math.floor((value / (values.at(-1) as number)) * 20));
        bins[bin] = (bins[bin] as number) + 1;
      }
      expect(figures?.histogram.reduce((sum, count) => sum + count, 0)).toBe(values.length);
      const off = bins.reduce((sum, count, i) => sum + Math.abs(count - (figures?.histogram[i] ?? 0)), 0);
      expect(off).toBeLessThanOrEqual(values.length * 0.15);
      const counts = new Map<number, number>();
      for (const { token } of found) counts.set(token, (counts.get(token) ?? 0) + 1);
      const most = Math.max(...counts.values());
      expect(counts.get(Number(figures?.topTokens[0]?.slice(1)))).toBe(most);
      const peaks = texts.map((_, text) =>
        Math.max(0, ...found.filter((each) => each.text === text).map((each) => each.value)),
      );
      const examples = examplesOf(store, options.source.key, j);
      expect(examples.map(({ peak }) => peak)).toEqual(peaks.sort((a, b) => b - a).slice(0, examples.length));
      for (const { tokens, values: own, peak } of examples) {
        expect(own?.length).toBe(tokens.length);
        expect(Math.max(...(own ?? []))).toBe(peak);
      }
    }
    store.close();
  });

  it('say which features fire together', async () => {
    const store = await openStore(null);
    const options = job(store);
    expect(cofiringsOf(store, options.source.key, 0)).toBeNull();
    const { tokens, version } = await runStatisticsJob(options);
    const places = Array.from({ length: features }, (_, j) => {
      const fired = texts.flatMap(({ activations: a }, text) =>
        Array.from({ length: a.tokens }, (_, t) => t)
          .filter((t) => t > 0 && (a.norms[t] as number) <= 1000)
          .filter((t) => a.indices.subarray(a.offsets[t], a.offsets[t + 1]).includes(j))
          .map((t) => `${text}:${t}`),
      );
      return new Set(fired);
    });
    for (const [j, own] of places.entries()) {
      const expected = places
        .map((its, index) => ({ index, together: [...its].filter((at) => own.has(at)).length, fired: its.size }))
        .filter(({ index, together }) => index !== j && together >= 3)
        .sort(
          (a, b) =>
            b.together / Math.sqrt(own.size * b.fired) - a.together / Math.sqrt(own.size * a.fired) ||
            a.index - b.index,
        );
      expect(cofiringsOf(store, options.source.key, j)).toEqual({ tokens, version, fired: own.size, others: expected });
    }
    expect(places.some(({ size }) => size === 0)).toBe(true);
    store.close();
  });

  it('are the same when the work is killed and begun again, again and again', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'tiller-statistics-')), 'tiller.db');
    const whole = await openStore(null);
    const wanted = job(whole);
    const once = await runStatisticsJob(wanted);
    for (const failAt of [7, 7, 31, 59]) {
      const store = await openStore(path);
      await expect(runStatisticsJob(job(store, { read: reader(failAt) }))).rejects.toThrow('killed');
      expect(findJob(store, 'statistics', `source:${sourceIn(store).key} a file`)).toMatchObject({
        state: 'running',
        done: failAt,
      });
      expect(statisticsOf(store, sourceIn(store).key, 0)).toBeNull();
      store.close();
    }
    const store = await openStore(path);
    const options = job(store);
    const outcome = await runStatisticsJob(options);
    expect(outcome).toEqual({ ...once, resumed: 59 });
    expect(written(store, options.source)).toEqual(written(whole, wanted.source));
    // done: the next run begins anew
    expect(await runStatisticsJob(job(store))).toEqual(once);
    store.close();
    whole.close();
  });

  it('go on with no other texts than those they began with', async () => {
    const store = await openStore(null);
    await expect(runStatisticsJob(job(store, { read: reader(20) }))).rejects.toThrow('killed');
    const others = [...texts.slice(1), texts[0] as Text];
    for (const given of [others, texts.slice(0, 5)]) {
      const sequences = sequencesOf(given);
      await expect(runStatisticsJob(job(store, { sequences }))).rejects.toThrow(/not the texts/);
    }
    const restarted = await runStatisticsJob(job(store, { sequences: sequencesOf(others), restart: true }));
    expect(restarted).toMatchObject({ texts: 60, resumed: 0 });
    await expect(runStatisticsJob(job(store, { sequences: sequencesOf([]) }))).rejects.toThrow(/no token that counts/);
    store.close();
  });
});

describe('figures in bounded memory', () => {
  it('hold the largest numbers', () => {
    const top = new TopValues(50);
    const values = Array.from({ length: 3000 }, () => Math.fround(unit()));
    for (const value of values) top.add(value);
    const sorted = values.toSorted((a, b) => b - a);
    expect([...top.values()]).toEqual(sorted.slice(0, 50));
    expect(percentileFromTop(top.values(), 3000, 99.9)).toBeCloseTo(
      (sorted[2] as number) + ((sorted[3] as number) - (sorted[2] as number)) * 0.999,
      6,
    );
    expect(percentileFromTop(top.values(), 3_000_000, 99.9)).toBe(sorted[49]);
  });

  it('count in bins whose range grows', () => {
    const bins = new ValueBins();
    const values = [0.001, 0.5, 3, 900, 899, 1, 450];
    for (const value of values) bins.add(value);
    expect(bins.histogram(900, 2)).toEqual([4, 3]);
    expect(new ValueBins(bins.state.top, bins.state.counts).histogram(900, 2)).toEqual([4, 3]);
  });

  it('count tokens, of very many the frequent ones', () => {
    const counts = new TokenCounts();
    for (let at = 0; at < 5000; at++) {
      counts.add(at % 3 === 0 ? 7 : 1000 + at);
      if (at % 5 === 0) counts.add(8);
    }
    expect(counts.top(2)).toEqual([7, 8]);
    expect(counts.entries()).toHaveLength(64);
  });
});
