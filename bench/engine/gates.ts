import { atLeast, atMost, type Gate, quietGate } from '../gates.ts';
import { quietLimit } from '../other-load.ts';
import { median, pairedRatios } from '../statistics.ts';
import type { Level } from '../workers/protocol.ts';
import type { EngineResults } from './results.ts';

const q4 = ['llama.cpp-q4_0', 'llama.cpp-q4_1'] as const;
const allPeers = ['llama.cpp-bf16', 'llama.cpp-q8_0', ...q4] as const;
const served = ['tiller-f32', 'tiller-int8', 'tiller-blocks'] as const;

interface Floor {
  readonly name: string;
  readonly ours: readonly string[];
  readonly peers: readonly string[];
  readonly kind: 'decode' | 'prefill';
  /** Rows of decoding, tokens of a prompt. */
  readonly size: number;
  readonly floor: number;
  readonly reach: number;
}

/** Issue 4's table. Of several peers the fastest counts, of several of ours the fastest too. */
const floors: readonly Floor[] = [
  decoding('f32 over BF16', ['tiller-f32'], ['llama.cpp-bf16'], 1, 1.3, 1.5),
  decoding('int8 over Q8_0', ['tiller-int8'], ['llama.cpp-q8_0'], 1, 1.9, 2.5),
  decoding('four-bit blocks over the faster Q4', ['tiller-blocks'], q4, 1, 0.85, 1.2),
  decoding('f32 over BF16', ['tiller-f32'], ['llama.cpp-bf16'], 32, 4, 6),
  decoding('int8 over Q8_0', ['tiller-int8'], ['llama.cpp-q8_0'], 32, 4, 6),
  decoding('our fastest precision over the faster Q4', served, q4, 32, 2.5, 5),
  prompt(128, 1.2, 2),
  prompt(512, 0.9, 1.5),
];

function decoding(
  what: string,
  ours: readonly string[],
  peers: readonly string[],
  rows: number,
  floor: number,
  reach: number,
): Floor {
  return {
    name: `decode, ${rows === 1 ? '1 row' : `${rows} rows`}, ${what}`,
    ours,
    peers,
    kind: 'decode',
    size: rows,
    floor,
    reach,
  };
}

function prompt(tokens: number, floor: number, reach: number): Floor {
  const name = `prompt of ${tokens} tokens, int8 over llama.cpp's fastest`;
  return { name, ours: ['tiller-int8'], peers: allPeers, kind: 'prefill', size: tokens, floor, reach };
}

const levelNames: Readonly<Record<Level, string>> = { service: 'with sampling', model: 'model alone' };

/** Samples of one engine, null where it was not measured. */
export function samplesOf(
  results: EngineResults,
  kind: 'decode' | 'prefill',
  level: Level,
  engine: string,
  size: number,
): readonly number[] | null {
  const found =
    kind === 'decode'
      ? results.decode.find((entry) => entry.engine === engine && entry.level === level && entry.rows === size)
      : results.prefill.find((entry) => entry.engine === engine && entry.level === level && entry.tokens === size);
  return found?.tokensPerSecond ?? null;
}

/** Median over the rounds of our fastest over their fastest in the same round; null where none of a side was measured. */
export function bestRatio(
  results: EngineResults,
  level: Level,
  { kind, size, ours, peers }: Pick<Floor, 'kind' | 'size' | 'ours' | 'peers'>,
): number | null {
  const fastest = (names: readonly string[]) =>
    names
      .map((name) => samplesOf(results, kind, level, name, size))
      .filter((entry) => entry !== null)
      .sort((a, b) => median(b) - median(a))[0];
  const [mine, theirs] = [fastest(ours), fastest(peers)];
  return mine && theirs ? median(pairedRatios(mine, theirs)) : null;
}

export function checkEngine(results: EngineResults): Gate[] {
  const peers = results.guard.continuations.filter(({ engine }) => engine !== 'tiller-f32');
  return [
    ...floors.flatMap((floor) =>
      (['service', 'model'] as const).map((level) =>
        atLeast(`${floor.name}, ${levelNames[level]}`, bestRatio(results, level, floor), floor.floor, floor.reach),
      ),
    ),
    // what rounds the weights may differ in later tokens; the first ones of a good answer do not
    atLeast(
      'first tokens of the answer that all engines agree on',
      Math.min(...peers.map((entry) => entry.agreeing)),
      3,
    ),
    atMost(
      'cores that an idle engine keeps busy',
      Math.max(...results.idle.map((entry) => entry.cpuShare)),
      quietLimit,
    ),
    quietGate(results),
  ];
}
