import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { checkEndurance } from '../../bench/endurance/gates.ts';
import { checkEngine } from '../../bench/engine/gates.ts';
import { type Gate, reportGates } from '../../bench/gates.ts';
import { checkLoads } from '../../bench/loads/gates.ts';
import { otherLoad } from '../../bench/other-load.ts';
import { checkPrefix } from '../../bench/prefix/gates.ts';
import { checkService } from '../../bench/service/gates.ts';
import { checkStartup } from '../../bench/startup/gates.ts';
import { checkStarvation } from '../../bench/starvation/gates.ts';
import { checkSteering } from '../../bench/steering/gates.ts';
import {
  enduranceFixture,
  engineFixture,
  loadsFixture,
  prefixFixture,
  serviceFixture,
  startupFixture,
  starvationFixture,
  steeringFixture,
} from './fixture-results.ts';

const failed = (gates: readonly Gate[]) => gates.filter(({ passed }) => !passed).map(({ name }) => name);
const gateValue = (gates: readonly Gate[], start: string) => gates.find(({ name }) => name.startsWith(start))?.value;

describe('gates', () => {
  it('hold for figures within the limits', () => {
    const all = [
      checkEngine(engineFixture),
      checkSteering(steeringFixture),
      checkService(serviceFixture),
      checkPrefix(prefixFixture),
      checkStarvation(starvationFixture),
      checkEndurance(enduranceFixture),
      checkStartup(startupFixture),
      checkLoads(loadsFixture),
    ];
    expect(all.flatMap(failed)).toEqual([]);
  });

  it('compare with the faster of several peers, at the same level', () => {
    const gates = checkEngine(engineFixture);
    expect(gateValue(gates, 'decode, 1 row, four-bit')).toBe(2.1);
    expect(gateValue(gates, 'decode, 32 rows, our fastest')).toBe(4.2);
    expect(gateValue(gates, 'prompt of 512 tokens')).toBe(2);
  });

  it('fail for a slower engine, garbage, an engine that spins and a busy machine', () => {
    const decode = engineFixture.decode.map((entry) =>
      entry.engine === 'tiller-f32' && entry.rows === 1 && entry.level === 'service'
        ? { ...entry, tokensPerSecond: [10, 10, 5] }
        : entry,
    );
    const guard = { prompt: '', continuations: [{ engine: 'llama.cpp-bf16', tokens: [9], text: '', agreeing: 0 }] };
    const idle = [{ process: 'llama.cpp-bf16', cpuShare: 1.9 }];
    expect(failed(checkEngine({ ...engineFixture, decode, guard, idle, otherLoad: [0.5, 0.5, 0] }))).toEqual([
      'decode, 1 row, f32 over BF16, with sampling',
      'first tokens of the answer that all engines agree on',
      'cores that an idle engine keeps busy',
      'cores that other processes keep busy',
    ]);
  });

  it('fail for what was not measured', () => {
    const decode = engineFixture.decode.filter(({ engine }) => engine !== 'tiller-int8');
    const names = failed(checkEngine({ ...engineFixture, decode }));
    expect(names).toContain('decode, 32 rows, int8 over Q8_0, model alone');
    const cases = steeringFixture.cases.filter(({ steering }) => steering.placement !== 'own');
    expect(failed(checkSteering({ ...steeringFixture, cases }))).toEqual([
      '32 distinct steerings in a batch, a hook point each',
    ]);
  });

  it('fail for the worst case of those that they are about, and for nothing else', () => {
    const cases = steeringFixture.cases.map((entry) =>
      entry.level === 'service' ? { ...entry, steered: entry.unsteered.map((rate) => 0.9 * rate) } : entry,
    );
    expect(failed(checkSteering({ ...steeringFixture, cases }))).toEqual([
      '32 distinct steerings in a batch, one hook point',
    ]);
    const changed = steeringFixture.cases.map((entry, i) => ({ ...entry, identical: i > 0 }));
    expect(failed(checkSteering({ ...steeringFixture, cases: changed }))).toEqual([
      'texts unchanged by edits scaled to zero',
    ]);
    const unused = steeringFixture.unused.map((entry) => ({ ...entry, sameLogits: false }));
    expect(failed(checkSteering({ ...steeringFixture, unused }))).toEqual([
      'logits without edits the same bit for bit, steering loaded or not',
    ]);
  });

  it('fail for a service that slows the engine, holds its event loop up or refuses', () => {
    const closedBatch = { ...serviceFixture.closedBatch, http: [300, 150, 75], eventLoopDelayP99: [0.02, 0.02, 0.001] };
    const [run] = serviceFixture.openLoop.runs;
    const runs = [{ ...run, figures: { ...run.figures, failed: 1 } }];
    const openLoop = { ...serviceFixture.openLoop, runs };
    expect(failed(checkService({ ...serviceFixture, closedBatch, openLoop }))).toEqual([
      'HTTP and SSE at 32 streams over the bare loop',
      'event-loop delay p99 at 32 streams, ms',
      'failed requests of the open loop',
    ]);
  });

  it('fail for a prefix that is not shared, and for one that is shared with another steering', () => {
    const tokens = (follower: string, count: number) => ({
      ...prefixFixture,
      cached: prefixFixture.cached.map((entry) =>
        entry.follower === follower
          ? { ...entry, cachedTokens: [992, count, 992].map((n) => (count > 0 ? count : n)) }
          : entry,
      ),
    });
    expect(failed(checkPrefix(tokens('steered by B, after A', 16)))).toEqual(['tokens shared: steered by B, after A']);
    expect(failed(checkPrefix(tokens('steered by A, after A', 500)))).toEqual(['tokens shared: steered by A, after A']);
    expect(failed(checkPrefix(tokens('steered from the middle on, after unsteered', 512)))).toEqual([
      'tokens shared beyond the first steered one',
    ]);
    const cold = prefixFixture.cold.map((ms) => ms / 500);
    expect(failed(checkPrefix({ ...prefixFixture, cold }))).toEqual(['TTFT with 1000 tokens cached over cold']);
  });

  it('fail for streams that starve, memory that grows and builds that stall', () => {
    const during = { ...starvationFixture.during, p99: [40, 80, 160] };
    expect(failed(checkStarvation({ ...starvationFixture, during }))).toHaveLength(1);
    const variants = { ...enduranceFixture.variants, resident: [800e6, 1300e6] };
    const builds = { ...enduranceFixture.builds, building: [12, 31] };
    const [first, last] = enduranceFixture.long.windows;
    const windows = [first, { ...last, resident: last.resident + 100e6 }];
    const long = { ...enduranceFixture.long, windows, longMilliseconds: 16 };
    expect(failed(checkEndurance({ ...enduranceFixture, variants, builds, long }))).toHaveLength(4);
  });

  it('fail for a slow start and for memory beyond the limit, keys and values aside', () => {
    const afterReady = { ...startupFixture.afterReady, firstToken: [7, 7, 1] };
    const [entry] = startupFixture.memory.busy;
    const memory = { loaded: [{ ...entry, resident: 301e6 }], busy: [{ ...entry, resident: 299e6 }] };
    const passed = checkStartup({ ...startupFixture, afterReady, memory }).map((gate) => gate.passed);
    expect(passed).toEqual([false, true, false, true]);
  });

  it('fail for a load that is slower than its own limit', () => {
    const [large, tiny] = loadsFixture.loads;
    const slow = { ...tiny, seconds: [1.1, 1.1, 0.2] };
    expect(failed(checkLoads({ ...loadsFixture, loads: [large, slow] }))).toEqual([
      'seconds to load a tiny model in int8, prepared',
    ]);
  });

  it('decide the exit status only where they are to be checked', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    onTestFinished(() => log.mockRestore());
    const gates = checkStarvation({ ...starvationFixture, otherLoad: [2, 2, 2] });
    expect(reportGates(gates, false)).toBe(0);
    expect(reportGates(gates, true)).toBe(1);
    expect(reportGates(checkStarvation(starvationFixture), true)).toBe(0);
    expect(log.mock.calls.flat().join('\n')).toContain('FAILED cores that other processes keep busy: 2.00');
  });

  it('count the cores that others keep busy', () => {
    expect(otherLoad(30, 20, 10)).toBe(1);
    expect(otherLoad(19.9, 20, 10)).toBe(0);
  });
});
