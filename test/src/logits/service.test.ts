import { describe, expect, it } from 'vitest';
import { type GenerationEvent, type LogitsRow, mostUnembedded } from '../../../engine/index.ts';
import type { LogitsQuery, LogitsText } from '../../../routes/services.ts';
import { KeptTaps } from '../../../src/logits/kept-taps.ts';
import { logitsService } from '../../../src/logits/service.ts';
import { unembedRows } from '../../../src/logits/unembed-rows.ts';
import { logitsRow } from '../../harness/fake-executor.ts';
import { fakeServices } from '../../harness/fake-services.ts';

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

describe('requests that hold values of the stream', () => {
  it('are so many at once, and others are told to come again', async () => {
    const { services } = fakeServices();
    const { card } = services.model('toy-chat').model;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const submit = async function* (): AsyncGenerator<GenerationEvent> {
      await held;
      yield { type: 'prompt', logprobs: null, queueMilliseconds: 0, cachedTokens: 0 };
    };
    const unused = {} as never;
    const service = logitsService({
      ...{ card, registry: unused, saved: unused, submit, executor: scripted(), width, blocks: 6 },
    });
    const text: LogitsText = {
      tokenIds: Int32Array.of(1, 2),
      positionContext: unused,
      edits: [],
      logits: { mask: Uint8Array.of(0, 0), top: 1, tokenIds: new Int32Array() },
      signal,
    };
    const query: LogitsQuery = { ...text, lens: ['hook_embed'], directions: [] };
    const first = Array.from({ length: 8 }, (_, at) => (at % 2 ? service.read(query) : service.compare(text)));
    await expect(service.read(query)).rejects.toMatchObject({ code: 'queue_full', retryAfterSeconds: 2 });
    const plain = service.read({ ...query, lens: [] });
    release();
    await Promise.all([...first, plain]);
    await expect(service.read(query)).resolves.toMatchObject({ lens: [{ hookPoint: 'hook_embed' }] });
  });
});
