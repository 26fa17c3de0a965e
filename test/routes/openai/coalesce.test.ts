import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GenerationEvent } from '../../../engine/core/index.ts';
import type { Merged } from '../../../routes/http/merge.ts';
import { coalesce, longestJoined, type StreamedEvent } from '../../../routes/openai/coalesce.ts';
import { toyLogprob } from '../../harness/fake-engine.ts';
import { gate } from '../../harness/http.ts';

type Event = Merged<GenerationEvent>;

const prompt = (index: number): Event => ({
  index,
  value: { type: 'prompt', logprobs: null, queueMilliseconds: 0, cachedTokens: 0 },
});
const token = (index: number, tokenId: number, withLogprob = true): Event => ({
  index,
  value: { type: 'token', tokenId, text: `${tokenId} `, logprob: withLogprob ? toyLogprob(tokenId, 1) : null },
});
const finish = (index: number, completionTokens: number): Event => ({
  index,
  value: { type: 'finish', reason: 'length', stopReason: null, text: '', promptTokens: 1, completionTokens, edits: [] },
});

async function* from(events: readonly Event[]): AsyncGenerator<Event> {
  yield* events;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Reads to the end; before each event it waits for as many turns of the event loop as `pauses` says. */
async function read(events: AsyncGenerator<Event>, pauses: (at: number) => number): Promise<Merged<StreamedEvent>[]> {
  const seen: Merged<StreamedEvent>[] = [];
  for await (const event of coalesce(events)) {
    seen.push(event);
    for (let at = 0; at < pauses(seen.length); at++) await turn();
  }
  return seen;
}

/** What a choice was told: the order of its events, its text, its tokens by their log-probabilities. */
function told(events: readonly Merged<StreamedEvent | GenerationEvent>[], choice: number) {
  const own = events.filter(({ index }) => index === choice).map(({ value }) => value);
  const text = own.map((value) => ('text' in value ? value.text : '')).join('');
  const logprobs = own.flatMap((value) =>
    value.type === 'tokens' ? value.logprobs : value.type === 'token' && value.logprob ? [value.logprob] : [],
  );
  const count = own.reduce(
    (sum, value) => sum + (value.type === 'tokens' ? value.count : value.type === 'token' ? 1 : 0),
    0,
  );
  return { first: own.at(0)?.type, last: own.at(-1), text, logprobs, count };
}

describe('coalescing', () => {
  it('tells every choice the same, whatever the pace of writer and reader', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
        async (lengths, writing, reading) => {
          // tokens of the choices come in turn, as decode steps give them
          const steps = Math.max(...lengths);
          const events = [
            ...lengths.map((_, index) => prompt(index)),
            ...Array.from({ length: steps }, (_, step) =>
              lengths.flatMap((length, index) => [
                ...(step < length ? [token(index, step)] : []),
                ...(step === length - 1 ? [finish(index, length)] : []),
              ]),
            ).flat(),
          ];
          async function* paced() {
            for (const [at, event] of events.entries()) {
              for (let wait = 0; wait < (writing[at % writing.length] ?? 0); wait++) await turn();
              yield event;
            }
          }
          const seen = await read(paced(), (at) => reading[at % reading.length] ?? 0);
          for (const index of lengths.keys()) expect(told(seen, index)).toEqual(told(events, index));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives a reader that keeps up every token by itself', async () => {
    async function* slowly() {
      yield prompt(0);
      for (let at = 0; at < 5; at++) {
        await turn();
        yield token(0, at);
      }
      yield finish(0, 5);
    }
    const seen = await read(slowly(), () => 0);
    expect(seen.map(({ value }) => value.type)).toEqual(['prompt', ...Array(5).fill('tokens'), 'finish']);
  });

  it('takes everything while the reader takes nothing, in few and bounded pieces', async () => {
    let produced = 0;
    const { opened, open } = gate();
    async function* quickly() {
      yield prompt(0);
      for (; produced < 1000; produced++) yield token(0, produced, false);
      yield finish(0, 1000);
      open();
    }
    const events = coalesce(quickly());
    expect((await events.next()).value).toMatchObject({ value: { type: 'prompt' } });
    await opened;
    expect(produced).toBe(1000);
    const counts: number[] = [];
    for await (const { value } of events) if (value.type === 'tokens') counts.push(value.count);
    expect(counts).toHaveLength(Math.ceil(1000 / longestJoined));
    expect(Math.max(...counts)).toBe(longestJoined);
  });

  it('tells a failure after what came before it', async () => {
    async function* failing() {
      yield prompt(0);
      yield token(0, 7);
      throw new Error('broken');
    }
    const events = coalesce(failing());
    expect((await events.next()).value).toMatchObject({ value: { type: 'prompt' } });
    await turn();
    expect((await events.next()).value).toMatchObject({ value: { type: 'tokens', text: '7 ' } });
    await expect(events.next()).rejects.toThrow('broken');
  });

  it('closes its source when the reader leaves', async () => {
    let closed = false;
    async function* endless() {
      try {
        for (;;) {
          await turn();
          yield token(0, 1);
        }
      } finally {
        closed = true;
      }
    }
    const events = coalesce(endless());
    await events.next();
    await events.return(undefined);
    await turn();
    await turn();
    expect(closed).toBe(true);
  });

  it('goes through nothing for no events', async () => {
    expect(await read(from([]), () => 0)).toEqual([]);
  });
});
