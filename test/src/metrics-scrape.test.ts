import { afterEach, describe, expect, it } from 'vitest';
import { type SteeringMode, TillerError } from '../../engine/core/index.ts';
import type { Services } from '../../routes/services.ts';
import { createApp } from '../../src/app.ts';
import { countSteering } from '../../src/metrics/count-steering.ts';
import { listen, type RunningServer } from '../../src/server.ts';
import { type FakeOptions, fakeServices, modelId } from '../harness/fake-services.ts';
import { finishedEvent, stepEvent, toyMetrics } from '../harness/metrics.ts';
import { type Exposition, parsePrometheusText } from '../harness/prometheus-text.ts';

const servers: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)));
});

/** A server over fake services whose metrics and counting of steering are the real ones. */
async function start(options: FakeOptions = {}) {
  const metrics = toyMetrics();
  const { services, engine } = fakeServices(options);
  const served = withCounting(services, metrics.requests);
  const server = await listen({ app: createApp({ ...served, metrics: metrics.services }), host: '127.0.0.1', port: 0 });
  servers.push(server);
  const scrape = async (): Promise<Exposition> => {
    const response = await fetch(`${server.url}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    return parsePrometheusText(await response.text());
  };
  const ask = (path: string, body: unknown, init: RequestInit = {}) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      ...init,
    });
  return { url: server.url, metrics, engine, scrape, ask };
}

function withCounting(services: Services, requests: Parameters<typeof countSteering>[0]): Services {
  const { model } = services.model(modelId);
  const counted = {
    ...model,
    ...countSteering(requests, {
      submit: model.submit,
      resolveSteering: (request, lengths) => ({
        ...model.resolveSteering(request, lengths),
        profile: null,
        ruleKinds: [],
        kinds: request.edits.map(({ mode, feature }) => ({
          mode,
          source: feature ? `${modelId}/3-res` : 'vector',
          profile: null,
        })),
      }),
    }),
  };
  return {
    ...services,
    useModel: async (name, signal) => ({ ...(await services.useModel(name, signal)), model: counted }),
  };
}

const edit = (mode: SteeringMode = 'add') => ({
  feature: `${modelId}/3-res/5`,
  mode,
  ...(mode === 'add' ? { strength: 1 } : { value: 1 }),
});

describe('GET /metrics of a running server', () => {
  it('is what a Prometheus parser takes, every family with type and help', async () => {
    const { metrics, ask, scrape } = await start();
    metrics.observer(finishedEvent());
    metrics.observer(stepEvent());
    await (await ask('/v1/completions', { prompt: 'a', max_tokens: 4 })).text();
    const got = await scrape();
    expect(got.samples.length).toBeGreaterThan(300);
    expect([...got.types.keys()].filter((name) => !got.help.has(name))).toEqual([]);
    const answered = { method: 'POST', route: '/v1/completions', status: '200' };
    expect(got.value('tiller_http_request_duration_seconds_count', answered)).toBe(1);
    const again = await scrape();
    expect(again.sum('tiller_http_request_duration_seconds_count', { route: '/metrics' })).toBe(1);
  });

  it('counts edits of accepted requests once a reply, and their doses when they have finished', async () => {
    const { ask, scrape } = await start();
    const steering = { edits: [edit(), { ...edit('set'), positions: 'prompt' }] };
    const body = { model: modelId, prompt: ['a', 'b'], n: 2, max_tokens: 3, steering };
    expect((await ask('/v1/completions', body)).status).toBe(200);
    expect(await (await ask('/v1/completions', { ...body, n: 1, stream: true })).text()).toContain('[DONE]');
    const got = await scrape();
    const source = `${modelId}/3-res`;
    const labels = { model_name: 'toy', source };
    expect(got.value('tiller_steering_edits_total', { ...labels, mode: 'add' })).toBe(6);
    expect(got.value('tiller_steering_edits_total', { ...labels, mode: 'set' })).toBe(6);
    expect(got.sum('tiller_steering_edits_total')).toBe(12);
    expect(got.value('vllm:request_params_n_count', { model_name: 'toy', engine: '0' })).toBe(4);
    expect(got.value('vllm:request_params_n_sum', { model_name: 'toy', engine: '0' })).toBe(6);
    expect(got.value('tiller_relative_dose_count', labels)).toBe(12);
  });

  it('counts nothing of requests that are refused', async () => {
    const admit = () => {
      throw new TillerError('queue_full', 'The queue is full.');
    };
    const { ask, scrape } = await start({ admit });
    const body = { model: modelId, prompt: 'a', steering: { edits: [edit()] } };
    expect((await ask('/v1/completions', body)).status).toBe(429);
    expect((await ask('/v1/completions', { ...body, model: 'no' })).status).toBe(404);
    const got = await scrape();
    expect(got.sum('tiller_steering_edits_total')).toBe(0);
    expect(got.value('vllm:request_params_n_count', { model_name: 'toy', engine: '0' })).toBe(0);
    expect(got.sum('tiller_http_request_duration_seconds_count', { route: '/v1/completions', status: '404' })).toBe(1);
  });

  it('has no more series after hostile names, routes and methods than bounded ones', async () => {
    const { metrics, url, ask, scrape } = await start();
    // which garbage collections and resources there are is up to Node.js
    const count = async () => (await scrape()).samples.filter(({ name }) => !/^(nodejs|process)_/.test(name)).length;
    const hostile = async (round: number) => {
      const name = `evil-${round}"\n\\{}`;
      const encoded = encodeURIComponent(name);
      metrics.observer(finishedEvent({ requestId: name }));
      metrics.observer({ type: 'first_token', requestId: name, milliseconds: 5 });
      const requests = [
        fetch(`${url}/${encoded}`),
        fetch(`${url}/v1/models/${encoded}`),
        fetch(`${url}/api/v1/features/${encoded}/${encoded}/${round}`),
        fetch(`${url}/${encoded}`, { method: ['PROPFIND', 'MKCOL', 'PURGE', 'REPORT'][round % 4] }),
        ask('/v1/completions', { model: name, prompt: 'a', user: name }),
        ask(`/v1/completions?x=${encoded}`, { prompt: name, max_tokens: 1, user: name }, { method: 'POST' }),
        ask('/v1/completions', { prompt: 'a', steering: { edits: [{ ...edit(), feature: `${modelId}/x/${round}` }] } }),
        ask('/v1/completions', { prompt: 'a', steering: { profile: name } }),
        ask('/v1/completions', { prompt: 'a', max_tokens: 1, steering: { edits: [edit()] } }),
      ];
      await Promise.all(requests.map(async (request) => (await request).text()));
    };
    await scrape();
    for (let round = 0; round < 4; round++) await hostile(round);
    const first = await count();
    for (let round = 4; round < 40; round++) await hostile(round);
    expect(await count()).toBe(first);
    expect(first).toBeLessThan(3000);
    const { samples } = await scrape();
    expect(samples.filter(({ labels }) => JSON.stringify(labels).includes('evil'))).toEqual([]);
  });
});
