import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { checkDecode, checkStartup, reportGates } from '../../bench/gates.ts';
import { otherLoad } from '../../bench/other-load.ts';
import { decodeFixture, startupFixture } from './fixture-results.ts';

const passed = (gates: ReturnType<typeof checkDecode>) => gates.map((gate) => gate.passed);

describe('gates', () => {
  it('hold for figures within the limits', () => {
    expect(passed(checkDecode(decodeFixture))).toEqual([true, true, true, true, true]);
    expect(passed(checkStartup(startupFixture))).toEqual([true, true, true, true]);
  });

  it('fail for a slower engine, garbage, an engine that spins and a busy machine', () => {
    const slower = decodeFixture.decode.map((entry) => ({ ...entry, tokensPerSecond: [10, 10, 10] }));
    const guard = { prompt: '', continuations: [{ variant: 'llama.cpp-bf16', tokens: [9], text: '', agreeing: 0 }] };
    const idle = [{ process: 'llama.cpp-bf16', cpuShare: 1.9 }];
    const worse = { ...decodeFixture, decode: slower, guard, idle, otherLoad: [0.5, 0.5, 0] };
    expect(passed(checkDecode(worse))).toEqual([false, false, false, false, false]);
  });

  it('fail for a slow start and for memory beyond the limit, keys and values aside', () => {
    const afterReady = { ...startupFixture.afterReady, firstToken: [7, 7, 1] };
    const [entry] = startupFixture.memory.busy;
    const memory = { loaded: [{ ...entry, resident: 301e6 }], busy: [{ ...entry, resident: 299e6 }] };
    expect(passed(checkStartup({ ...startupFixture, afterReady, memory }))).toEqual([false, true, false, true]);
  });

  it('decide the exit status only where they are to be checked', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    onTestFinished(() => log.mockRestore());
    const gates = checkDecode({ ...decodeFixture, otherLoad: [2, 2, 2] });
    expect(reportGates(gates, false)).toBe(0);
    expect(reportGates(gates, true)).toBe(1);
    expect(reportGates(checkDecode(decodeFixture), true)).toBe(0);
    expect(log.mock.calls.flat().join('\n')).toContain('FAILED cores that other processes keep busy: 2.00');
  });

  it('count the cores that others keep busy', () => {
    expect(otherLoad(30, 20, 10)).toBe(1);
    expect(otherLoad(19.9, 20, 10)).toBe(0);
  });
});
