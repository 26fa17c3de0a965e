import { describe, expect, it, vi } from 'vitest';
import type { Engine, ModelConfig } from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import type { LoadedModel } from '../../engine/index.ts';
import type { Registry } from '../../sae-registry/index.ts';
import { createApp } from '../../src/app.ts';
import { AppServices, type ReadyModel } from '../../src/services.ts';
import { createFakeExecutor } from '../harness/fake-executor.ts';
import { createFakeTokenizer, fakeTokens } from '../harness/fake-tokenizer.ts';
import { generate } from '../harness/requests.ts';

const executor = createFakeExecutor();
const tokenizer = createFakeTokenizer();

/** As much of a loaded model as readiness looks at. */
function readyModel(engine: Engine): ReadyModel {
  return {
    id: 'toy',
    engine,
    loadedUnixSeconds: 0,
    capacity: { rows: 1, keyValueTokens: 64, prefixCacheTokens: 0, queueLimit: 1, queueSeconds: null },
    registry: { sources: [] } as Partial<Registry> as Registry,
    model: {
      executor,
      tokenizer,
      config: { dModel: 4, blocks: 1 } as ModelConfig,
    } as Partial<LoadedModel> as LoadedModel,
    close: () => engine.close(),
  } as ReadyModel;
}

function setUp(inspect?: () => void) {
  const services = new AppServices({
    version: 'test',
    limits: { bodyBytes: 1000, maxEdits: 4, maxChoices: 4, maxReplyTokens: null, streamTimeoutSeconds: 10 },
    metrics: {
      render: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
      observeHttp: () => {},
      clientGone: () => {},
    },
  });
  const engine = createEngine({ executor, tokenizer, eosTokenIds: [fakeTokens.eos], queueLimit: 2, inspect });
  const app = createApp(services);
  return { services, engine, ready: () => app.request('/readyz') };
}

describe('/readyz over a real engine', () => {
  it('follows it from loading to shutting down', async () => {
    const { services, engine, ready } = setUp();
    expect(await (await ready()).json()).toMatchObject({
      code: 'not_ready',
      detail: expect.stringContaining('still being loaded'),
    });
    services.serve(readyModel(engine));
    expect((await ready()).status).toBe(200);
    expect((await generate(engine, { prompt: [50] })).error).toBeNull();
    expect((await ready()).status).toBe(200);
    await engine.drain(0);
    expect((await ready()).status).toBe(503);
    expect(await (await ready()).json()).toMatchObject({ code: 'draining' });
  });

  it('is 503 with the reason once the loop of the engine has died', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { services, engine, ready } = setUp(() => {
      throw new Error('seven slots of six');
    });
    services.serve(readyModel(engine));
    expect((await ready()).status).toBe(200);
    expect((await generate(engine, { prompt: [50] })).error?.code).toBe('internal');
    const answer = await ready();
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      code: 'not_ready',
      detail: expect.stringMatching(/engine stopped.*seven slots of six/),
    });
    expect(engine.statistics().broken).toBe('seven slots of six');
    expect(warned).toHaveBeenCalledWith('The engine stopped: seven slots of six');
    warned.mockRestore();
  });
});
