import { describe, expect, it } from 'vitest';
import { type LogitsRow, mostUnembedded } from '../../../engine/index.ts';
import { KeptTaps } from '../../../src/logits/kept-taps.ts';
import { Places } from '../../../src/logits/places.ts';
import { unembedRows } from '../../../src/logits/unembed-rows.ts';
import { logitsRow } from '../../harness/fake-executor.ts';

const width = 2;

/** Logits that are the vector's first number everywhere, and how many vectors each call was given. */
function scripted(rowOf: (first: number) => LogitsRow = (first) => logitsRow(Float32Array.of(first, 0, 1), 2)) {
  const calls: number[] = [];
  const unembed = async <Result>(
    _kind: unknown,
    vectors: Float32Array,
    read: (rows: readonly LogitsRow[]) => Result | Promise<Result>,
  ): Promise<Result> => {
    calls.push(vectors.length / width);
    return read(Array.from({ length: vectors.length / width }, (_, r) => rowOf(vectors[r * width] as number)));
  };
  return { unembed, calls };
}

const vectors = (count: number) => Float32Array.from({ length: count * width }, (_, at) => Math.floor(at / width));
const signal = new AbortController().signal;

describe('vectors turned into logits in pieces', () => {
  it('come in order, and groups of them whole', async () => {
    const { unembed, calls } = scripted();
    const count = 2 * mostUnembedded + 3;
    const found = await unembedRows({ unembed }, 'stream', vectors(count), ([row]) => row?.full()[0], {
      width,
      signal,
    });
    expect(found).toEqual(Array.from({ length: count }, (_, at) => at));
    expect(calls).toEqual([mostUnembedded, mostUnembedded, 3]);
    const read = (rows: readonly LogitsRow[], index: number) => [index, ...rows.map((row) => row.full()[0])];
    const threes = await unembedRows({ unembed }, 'stream', vectors(18), read, { width, signal, group: 3 });
    expect(threes).toEqual(Array.from({ length: 6 }, (_, at) => [at, 3 * at, 3 * at + 1, 3 * at + 2]));
  });

  it('end when their caller leaves, before another piece', async () => {
    const { unembed, calls } = scripted();
    const left = new AbortController();
    const read = () => left.abort();
    const reading = unembedRows({ unembed }, 'stream', vectors(100), read, { width, signal: left.signal });
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
    expect(calls).toHaveLength(1);
  });

  it('are refused where they are not finite', async () => {
    const { unembed } = scripted((first) => logitsRow(Float32Array.of(first === 3 ? Number.NaN : 1, 0), 2));
    const reading = unembedRows({ unembed }, 'stream', vectors(5), () => null, { width, signal });
    await expect(reading).rejects.toMatchObject({ code: 'step_failed' });
  });
});

describe('taps of chosen positions', () => {
  it('are kept in order, whatever chunks they come in', () => {
    const kept = new KeptTaps(
      Uint8Array.of(0, 1, 1, 0, 1),
      new Map([
        ['a', 2],
        ['b', 1],
      ]),
    );
    const piece = (start: number, count: number) => ({
      ...{ type: 'activations' as const, start, activations: [] },
      taps: new Map([
        ['a', Float32Array.from({ length: 2 * count }, (_, at) => 10 * (start + Math.floor(at / 2)) + (at % 2))],
        ['b', Float32Array.from({ length: count }, (_, at) => start + at)],
      ]),
    });
    for (const [start, count] of [
      [0, 2],
      [2, 1],
      [3, 2],
    ] as const)
      kept.take(piece(start, count));
    expect([...kept.of('a')]).toEqual([10, 11, 20, 21, 40, 41]);
    expect([...kept.of('b')]).toEqual([1, 2, 4]);
  });
});

describe('places for work', () => {
  it('are taken by so many at once, in order, and given on whatever comes of it', async () => {
    const places = new Places(2, 2);
    const began: number[] = [];
    const ends: (() => void)[] = [];
    const work = (k: number) => async () => {
      began.push(k);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (k === 0) throw new Error('failed');
      return k;
    };
    const gone = new AbortController();
    const running = [0, 1].map((k) => places.run(work(k), signal));
    const waiting = [places.run(work(2), gone.signal), places.run(work(3), signal)];
    await expect(places.run(work(4), signal)).rejects.toMatchObject({ code: 'queue_full', retryAfterSeconds: 5 });
    expect(began).toEqual([0, 1]);
    gone.abort();
    ends[0]?.();
    await expect(running[0]).rejects.toThrow('failed');
    await expect(waiting[0]).rejects.toMatchObject({ code: 'cancelled' });
    await Promise.resolve();
    expect(began).toEqual([0, 1, 3]);
    for (const end of ends) end();
    expect(await Promise.all([running[1], waiting[1]])).toEqual([1, 3]);
    const last = places.run(work(5), signal);
    ends.at(-1)?.();
    expect(await last).toBe(5);
  });
});
