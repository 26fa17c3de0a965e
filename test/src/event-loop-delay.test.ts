import { describe, expect, it } from 'vitest';
import { delaysBetween, sampleEventLoopDelay } from '../../src/metrics/event-loop-delay.ts';

describe('the delay of the event loop', () => {
  it('is how late a timer is, and of those held up behind it', () => {
    expect(delaysBetween(100, 110)).toEqual([0]);
    expect(delaysBetween(100, 109)).toEqual([0]);
    expect(delaysBetween(100, 113)).toEqual([3]);
    // due at 110, 120, 130 and 140, all fired at 145
    expect(delaysBetween(100, 145)).toEqual([35, 25, 15, 5]);
  });

  it('of a process that slept is bounded', () => {
    const delays = delaysBetween(0, 8 * 3600 * 1000);
    expect(delays).toHaveLength(1001);
    expect(Math.max(...delays)).toBe(10_000);
  });

  it('is seen when the loop is held up', async () => {
    const seen: number[] = [];
    sampleEventLoopDelay((seconds) => seen.push(seconds));
    await new Promise((resolve) => setTimeout(resolve, 15));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 120);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(Math.max(...seen)).toBeGreaterThan(0.1);
    // ten timers were due meanwhile
    expect(seen.filter((seconds) => seconds > 0.009).length).toBeGreaterThanOrEqual(10);
  });
});
