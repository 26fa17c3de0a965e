import { createServer } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { seededRandom } from '../../bench/random.ts';
import { arrivalTimes } from '../../bench/service/arrivals.ts';
import { intervals, loadFigures } from '../../bench/service/load-figures.ts';
import { runOpenLoop } from '../../bench/service/open-loop.ts';
import { completionBody, planRequests } from '../../bench/service/workload.ts';
import { mean, standardDeviation } from '../../bench/statistics.ts';
import { EventReader, type StreamTiming, streamCompletion } from '../../bench/stream-client.ts';

describe('arrivals', () => {
  it('come at the rate asked for, in order, the same for the same seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(0.3, 1, 2.5), (seed, burstiness) => {
        const times = arrivalTimes(50, 5, burstiness, seededRandom(seed));
        expect(times).toEqual(arrivalTimes(50, 5, burstiness, seededRandom(seed)));
        expect(times.at(-1)).toBeCloseTo(10, 6);
        expect(times.every((time, i) => time >= (times[i - 1] ?? 0))).toBe(true);
      }),
    );
  });

  it.each([0.25, 1, 4])('are spread as a gamma process of shape %d', (burstiness) => {
    const times = arrivalTimes(40_000, 1, burstiness, seededRandom(3));
    const gaps = times.map((time, i) => time - (times[i - 1] ?? 0));
    // the variance of a gamma distribution with mean 1 is one over its shape
    expect(standardDeviation(gaps) ** 2).toBeGreaterThan(0.9 / burstiness);
    expect(standardDeviation(gaps) ** 2).toBeLessThan(1.1 / burstiness);
  });
});

describe('planned requests', () => {
  const text = Array.from({ length: 1000 }, (_, i) => i);
  const options = { count: 2000, text, inputLength: 100, outputLength: 40, rangeRatio: 0.5 };

  it('have lengths about the mean, and a share of them is steered in turn', () => {
    const steerings = [{ edits: ['a'] }, { edits: ['b'] }];
    const requests = planRequests({ ...options, steeredShare: 0.5, steerings }, seededRandom(1));
    const lengths = requests.map(({ prompt }) => prompt.length);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(150);
    expect(Math.abs(mean(lengths) - 100)).toBeLessThan(3);
    expect(Math.abs(mean(requests.map(({ maxTokens }) => maxTokens)) - 40)).toBeLessThan(2);
    const steered = requests.filter(({ steering }) => steering);
    expect(Math.abs(steered.length / requests.length - 0.5)).toBeLessThan(0.05);
    expect(new Set(steered.map(({ steering }) => steering)).size).toBe(2);
  });

  it('carry steering only where they are steered', () => {
    expect(completionBody({ prompt: [1], maxTokens: 2, steering: null })).not.toHaveProperty('steering');
    expect(completionBody({ prompt: [1], maxTokens: 2, steering: { edits: [] } })).toHaveProperty('steering');
  });
});

describe('figures of a load', () => {
  const stream = (sentAt: number, chunksAt: number[], outputTokens: number): StreamTiming => ({
    sentAt,
    chunksAt,
    endedAt: (chunksAt.at(-1) ?? 0) + 1,
    promptTokens: 10,
    outputTokens,
    cachedTokens: null,
  });

  it("are those of vLLM's definitions", () => {
    const streams = [stream(0, [100, 110, 130], 3), stream(50, [350, 999], 4), stream(900, [999], 1)];
    const figures = loadFigures(streams, 1, { ttft: 200, tpot: 20 });
    expect(figures).toMatchObject({ completed: 3, failed: 1, duration: 1, total_input_tokens: 30 });
    expect(figures).toMatchObject({ total_output_tokens: 8, output_throughput: 8, request_throughput: 3 });
    // the second is late at its first token; a single token has no TPOT to be late with
    expect(figures.request_goodput).toBe(2);
    expect(figures.ttft_ms.median).toBe(100);
    // without the first token: (130 − 100) / 2 and (999 − 350) / 3
    expect(figures.tpot_ms.mean).toBeCloseTo((15 + 649 / 3) / 2, 10);
    expect(figures.itl_ms.median).toBe(20);
    expect(intervals(streams[0])).toEqual([10, 20]);
    expect(figures.max_concurrent_requests).toBe(2);
  });

  it('count a request as good only where it meets every level', () => {
    const slowLater = loadFigures([stream(0, [10, 500], 2)], 0, { ttft: 200, tpot: 20 });
    expect(slowLater.request_goodput).toBe(0);
    expect(() => loadFigures([], 3, { ttft: 1, tpot: 1 })).toThrow();
  });
});

describe('the streaming client', () => {
  const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
  const text = event({ choices: [{ index: 0, text: 'a' }] });
  const usage = event({
    choices: [],
    usage: { prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 1 } },
  });

  it('reads events however they are cut', () => {
    const whole = `${text}${text}${usage}data: [DONE]\n\n`;
    for (let cut = 1; cut < whole.length; cut++) {
      const reader = new EventReader();
      reader.take(whole.slice(0, cut), 1);
      reader.take(whole.slice(cut), 2);
      expect(reader.chunksAt).toHaveLength(2);
      expect(reader.usage?.completion_tokens).toBe(2);
      expect(reader.failure).toBeNull();
    }
  });

  async function serve(answer: (body: Record<string, unknown>) => { status: number; text: string }): Promise<string> {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => {
        const { status, text: reply } = answer(JSON.parse(body));
        response.writeHead(status, { 'content-type': 'text/event-stream' }).end(reply);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  it('gives times and usage, and asks for them', async () => {
    const asked: Record<string, unknown>[] = [];
    const url = await serve((body) => {
      asked.push(body);
      return { status: 200, text: `${text}${text}${usage}data: [DONE]\n\n` };
    });
    const timing = await streamCompletion(`${url}/v1/completions`, { prompt: [1] });
    expect(timing).toMatchObject({ promptTokens: 3, outputTokens: 2, cachedTokens: 1 });
    expect(timing.chunksAt).toHaveLength(2);
    expect(timing.chunksAt[0]).toBeGreaterThanOrEqual(timing.sentAt);
    expect(asked).toEqual([{ prompt: [1], stream: true, stream_options: { include_usage: true } }]);
  });

  it.each([
    ['another status', 429, '{"error":{}}', 'status 429'],
    ['an error event', 200, `${text}${event({ error: { code: 'step_failed' } })}`, 'step_failed'],
    ['a stream that ends too soon', 200, text, 'ended too soon'],
  ])('rejects %s', async (_what, status, reply, message) => {
    const url = await serve(() => ({ status, text: reply }));
    await expect(streamCompletion(url, {})).rejects.toThrow(message);
  });

  it('sends an open loop at its times and tells failures apart', async () => {
    let calls = 0;
    const url = await serve(() => (calls++ === 1 ? { status: 503, text: 'no' } : { status: 200, text: text + usage }));
    const requests = [0, 1, 2].map(() => ({ prompt: [1], maxTokens: 1, steering: null }));
    const { streams, failures } = await runOpenLoop(url, requests, [0, 0.05, 0.1]);
    expect(streams).toHaveLength(2);
    expect(failures).toEqual([expect.stringContaining('status 503')]);
    expect(streams[1].sentAt - streams[0].sentAt).toBeGreaterThan(60);
  });
});
