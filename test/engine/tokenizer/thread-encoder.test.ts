import { afterEach, describe, expect, it } from 'vitest';
import type { PromptEncoder, Tokenizer } from '../../../engine/core/index.ts';
import { openTokenizer } from '../../../engine/tokenizer/index.ts';
import { type EncodingThread, longestInline, ThreadEncoder } from '../../../engine/tokenizer/thread-encoder.ts';
import { huggingFace, sentencePieceJson, smollm2 } from './fixtures.ts';

const open: PromptEncoder[] = [];
afterEach(async () => {
  for (const encoder of open.splice(0)) await encoder.close();
});

const plain = { addSpecialTokens: false };
const long = (words: string) => words.repeat(Math.ceil((longestInline + 1) / words.length));

/** A tokenizer that counts how often it is asked, and gives the text's length. */
function inline() {
  const asked: string[] = [];
  const tokenizer: Pick<Tokenizer, 'encode'> = {
    encode: (text) => {
      asked.push(text);
      return Int32Array.of(text.length);
    },
  };
  return { asked, tokenizer: tokenizer as Tokenizer };
}

/** A thread that answers when the test says so. */
class ScriptedThread implements EncodingThread {
  readonly jobs: { readonly text: string; readonly addSpecialTokens: boolean }[] = [];
  readonly references: string[] = [];
  terminated = false;
  readonly #listeners = new Map<string, (value: unknown) => void>();
  postMessage(job: { readonly text: string; readonly addSpecialTokens: boolean }): void {
    this.jobs.push(job);
  }
  on(event: string, listener: (value: unknown) => void): void {
    this.#listeners.set(event, listener);
  }
  ref(): void {
    this.references.push('ref');
  }
  unref(): void {
    this.references.push('unref');
  }
  async terminate(): Promise<void> {
    this.terminated = true;
    this.emit('exit', undefined);
  }
  emit(event: string, value: unknown): void {
    this.#listeners.get(event)?.(value);
  }
  answer(...ids: number[]): void {
    this.emit('message', { tokenIds: Int32Array.from(ids) });
  }
}

function scripted() {
  const threads: ScriptedThread[] = [];
  const { asked, tokenizer } = inline();
  const encoder = new ThreadEncoder(
    tokenizer,
    () => '',
    () => {
      const thread = new ScriptedThread();
      threads.push(thread);
      return thread;
    },
  );
  open.push(encoder);
  return { threads, asked, encoder };
}

describe('encoding on a thread', () => {
  it('gives what the tokenizer gives, whatever the text', async () => {
    for (const checkpoint of [smollm2(), huggingFace(sentencePieceJson())]) {
      const { tokenizer, encoder } = await openTokenizer(checkpoint);
      open.push(encoder);
      const texts = [
        'short',
        long('Once upon a time, there were 42 dogs.\n'),
        long('这是一个测试。'),
        long('🌍 é <|im_end|> \u0000'),
      ];
      const encoded = await Promise.all(texts.map((text) => encoder.encode(text, { addSpecialTokens: true })));
      expect(encoded).toEqual(texts.map((text) => tokenizer.encode(text, { addSpecialTokens: true })));
    }
  });

  it('leaves the event loop free meanwhile', async () => {
    const { encoder } = await openTokenizer(smollm2());
    open.push(encoder);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await encoder.encode('这是一个测试'.repeat(5000), plain);
    clearInterval(timer);
    // held up, the timer would not have fired at all
    expect(turns).toBeGreaterThan(3);
  });

  it('keeps short texts here, and starts no thread for them', async () => {
    const { threads, asked, encoder } = scripted();
    const short = 'é'.repeat(longestInline / 2);
    expect(await encoder.encode(short, plain)).toEqual(Int32Array.of(short.length));
    expect([asked, threads]).toEqual([[short], []]);
    void encoder.encode(`${short}é`, plain).catch(() => undefined);
    expect(threads[0]?.jobs).toHaveLength(1);
  });

  it('hands over one text at a time, in order, and keeps the process alive only for that', async () => {
    const { threads, encoder } = scripted();
    const first = encoder.encode(long('a'), plain);
    const second = encoder.encode(long('b'), { addSpecialTokens: true });
    const [thread] = threads;
    expect(thread?.jobs.map(({ text }) => text[0])).toEqual(['a']);
    thread?.answer(1);
    expect(await first).toEqual(Int32Array.of(1));
    expect(thread?.jobs[1]).toMatchObject({ addSpecialTokens: true });
    thread?.answer(2, 3);
    expect(await second).toEqual(Int32Array.of(2, 3));
    expect([threads.length, thread?.references]).toEqual([1, ['ref', 'unref', 'ref', 'unref']]);
  });

  it('drops a text whose client has gone, and passes over the answer to one that it was at', async () => {
    const { threads, encoder } = scripted();
    const gone = [new AbortController(), new AbortController()];
    const [first, second] = gone.map(({ signal }) => encoder.encode(long('a'), { ...plain, signal }));
    const last = encoder.encode(long('z'), plain);
    for (const controller of gone) controller.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    await expect(encoder.encode(long('a'), { ...plain, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    threads[0]?.answer(1);
    threads[0]?.answer(9);
    expect(await last).toEqual(Int32Array.of(9));
    expect(threads[0]?.jobs.map(({ text }) => text[0])).toEqual(['a', 'z']);
  });

  it('fails the one text at which the thread ends; the next gets a new thread', async () => {
    const { threads, encoder } = scripted();
    const first = encoder.encode(long('a'), plain);
    const second = encoder.encode(long('b'), plain);
    threads[0]?.emit('error', new Error('out of memory'));
    threads[0]?.emit('exit', undefined);
    await expect(first).rejects.toMatchObject({ code: 'internal' });
    threads[1]?.answer(5);
    expect(await second).toEqual(Int32Array.of(5));
    expect(threads).toHaveLength(2);
  });

  it('fails a text that the tokenizer refuses, and no other', async () => {
    const { threads, encoder } = scripted();
    const first = encoder.encode(long('a'), plain);
    const second = encoder.encode(long('b'), plain);
    threads[0]?.emit('message', { failure: 'bad' });
    await expect(first).rejects.toMatchObject({ code: 'internal', message: expect.stringContaining('bad') });
    threads[0]?.answer(5);
    expect(await second).toEqual(Int32Array.of(5));
  });

  it('ends with its thread when it is closed', async () => {
    const { threads, encoder } = scripted();
    const texts = [encoder.encode(long('a'), plain), encoder.encode(long('b'), plain)];
    const ended = Promise.allSettled(texts);
    await encoder.close();
    expect(await ended).toMatchObject([{ reason: { code: 'draining' } }, { reason: { code: 'draining' } }]);
    expect(threads.map(({ terminated }) => terminated)).toEqual([true]);
    await expect(encoder.encode(long('c'), plain)).rejects.toMatchObject({ code: 'draining' });
  });
});
