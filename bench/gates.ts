import { quietLimit } from './other-load.ts';
import type { DecodeResults, StartupResults } from './results.ts';
import { median, pairedRatios } from './statistics.ts';

/** A promise about a figure. */
export interface Gate {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly atLeast: boolean;
  readonly passed: boolean;
}

export const decodeRatioLimit = 1.2;
export const startSecondsLimit = 6;
export const memoryRatioLimit = 2.6;

const atLeast = (name: string, value: number, limit: number): Gate => ({
  name,
  value,
  limit,
  atLeast: true,
  passed: value >= limit,
});
const atMost = (name: string, value: number, limit: number): Gate => ({
  name,
  value,
  limit,
  atLeast: false,
  passed: value <= limit,
});

/** Median over the rounds of Tiller's tokens per second over the peer's in the same round. */
export function decodeRatio({ decode }: DecodeResults, variant: string, peer: string, rows: number): number {
  const of = (name: string) => {
    const found = decode.find((entry) => entry.variant === name && entry.rows === rows);
    if (!found) throw new Error(`no decoding of ${name} at ${rows} rows was measured`);
    return found.tokensPerSecond;
  };
  return median(pairedRatios(of(variant), of(peer)));
}

export function checkDecode(results: DecodeResults): Gate[] {
  const peers = results.guard.continuations.filter(({ variant }) => variant !== 'tiller-f32');
  return [
    atLeast(
      'decode, one row, with sampling, over llama.cpp BF16',
      decodeRatio(results, 'tiller-f32', 'llama.cpp-bf16', 1),
      decodeRatioLimit,
    ),
    atLeast(
      'decode, one row, model alone, over llama.cpp BF16',
      decodeRatio(results, 'tiller-f32/model', 'llama.cpp-bf16/model', 1),
      decodeRatioLimit,
    ),
    // BF16 and Q8_0 round the weights, so later tokens may differ; the first ones of a good answer do not.
    atLeast(
      'first tokens of the answer that all engines agree on',
      Math.min(...peers.map(({ agreeing }) => agreeing)),
      3,
    ),
    atMost(
      'cores that an idle engine keeps busy',
      Math.max(...results.idle.map(({ cpuShare }) => cpuShare)),
      quietLimit,
    ),
    atMost('cores that other processes keep busy', median(results.otherLoad), quietLimit),
  ];
}

/** Resident memory without keys and values, over the float32 weights. */
export function memoryRatio(results: StartupResults, when: 'loaded' | 'busy'): number {
  const ratios = results.memory[when].map(
    ({ resident, keyValue }) => (resident - keyValue) / results.float32WeightBytes,
  );
  return median(ratios);
}

/** The most that any start needed until it was ready, in bytes; null where the platform does not tell. */
export function loadingPeak({ memory }: StartupResults): number | null {
  const peaks = memory.loaded.map(({ peak }) => peak).filter((peak) => peak !== null);
  return peaks.length === 0 ? null : Math.max(...peaks);
}

export function checkStartup(results: StartupResults): Gate[] {
  const peak = loadingPeak(results);
  const peaks = peak === null ? [] : [peak / results.float32WeightBytes];
  return [
    atMost('seconds from start to first token', median(results.afterReady.firstToken), startSecondsLimit),
    ...peaks.map((peak) =>
      atMost('largest resident memory while loading over float32 weights', peak, memoryRatioLimit),
    ),
    atMost(
      'resident memory without keys and values over float32 weights, loaded',
      memoryRatio(results, 'loaded'),
      memoryRatioLimit,
    ),
    atMost(
      'resident memory without keys and values over float32 weights, busy',
      memoryRatio(results, 'busy'),
      memoryRatioLimit,
    ),
  ];
}

/** Prints the gates; the exit status is 1 only where they are to be checked and one fails. */
export function reportGates(gates: readonly Gate[], check: boolean): number {
  for (const { name, value, limit, atLeast: above, passed } of gates) {
    console.log(
      `${passed ? 'ok    ' : 'FAILED'} ${name}: ${value.toFixed(2)} (${above ? 'at least' : 'at most'} ${limit})`,
    );
  }
  return check && gates.some(({ passed }) => !passed) ? 1 : 0;
}
