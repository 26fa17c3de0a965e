import { describe, expect, it } from 'vitest';
import { parseSmaps, readMemory } from '../../bench/process-memory.ts';
import { readChatStream } from '../../bench/startup/chat-stream.ts';

/** A mapping as /proc/PID/smaps shows it, shortened. */
const mapping = (path: string, kilobytes: number, flags: string) =>
  `7f00-7f10 rw-p 00000000 00:00 0${path ? `                    ${path}` : ''}\nSize: 99999 kB\nRss: ${kilobytes} kB\nPss: 1 kB\nVmFlags: ${flags} \n`;

describe('resident memory', () => {
  it('is told apart by what it belongs to', () => {
    const smaps = [
      mapping('/cache/weights/abc.f32.v1.bin', 10, 'rd mr mw me'),
      mapping('/usr/lib/libc.so.6', 20, 'rd ex mr'),
      mapping('', 30, 'rd wr mr mw me ac'),
      mapping('[heap]', 40, 'rd wr'),
      mapping('', 50, 'rd wr nr nh'),
    ].join('');
    const kinds = { weights: 10240, files: 20480, reserved: 51200, anonymous: 71680 };
    expect(parseSmaps(smaps)).toEqual({ resident: 153600, kinds });
  });

  it('of this process is about what Node says', () => {
    const { resident } = readMemory(process.pid);
    expect(resident / process.memoryUsage.rss()).toBeGreaterThan(0.5);
    expect(resident / process.memoryUsage.rss()).toBeLessThan(2);
  });
});

describe('a streamed reply', () => {
  const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
  const delta = (content: string) => event({ choices: [{ delta: { content } }] });

  function response(text: string, status = 200): Response {
    const bytes = new TextEncoder().encode(text);
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
        controller.close();
      },
    });
    return new Response(body, { status });
  }

  it('is read across pieces; the first text counts, not the first event', async () => {
    const text = [
      event({ choices: [{ delta: { role: 'assistant', content: '' } }] }),
      delta('Grüß'),
      delta(' Gott'),
      event({ choices: [], usage: { total_tokens: 9 } }),
      'data: [DONE]\n\n',
    ].join('');
    let firsts = 0;
    const reply = await readChatStream(response(text), () => firsts++);
    expect(reply).toEqual({ text: 'Grüß Gott', totalTokens: 9 });
    expect(firsts).toBe(1);
  });

  it('is an error where there is no text or another status', async () => {
    await expect(readChatStream(response('data: [DONE]\n\n'), () => {})).rejects.toThrow('without any text');
    await expect(readChatStream(response('no', 429), () => {})).rejects.toThrow('status 429: no');
  });
});
