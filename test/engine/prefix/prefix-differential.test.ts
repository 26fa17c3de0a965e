import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  BlockStore,
  EditReport,
  Engine,
  Executor,
  GenerationEvent,
  PrefixSharing,
} from '../../../engine/core/index.ts';
import { createEngine } from '../../../engine/engine.ts';
import { createPrefixSharing } from '../../../engine/prefix-sharing.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { findViolations } from '../../../engine/scheduler/invariants.ts';
import type { KeyParts } from '../../../engine/steering/prefix-key.ts';
import { createFakeTokenizer } from '../../harness/fake-tokenizer.ts';
import { operatorSets } from '../../harness/kernels.ts';
import { lendExecutor } from '../../harness/lend-executor.ts';
import { buildRequest, type Schedule, type ScheduledRequest, schedules } from '../../harness/prefix-schedules.ts';
import { tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

/**
 * The test that the prefix cache stands on: over the real executor, any schedule of steered and unsteered requests gives
 * with the cache what each request gives alone without it. Tokens, log-probabilities and reports are compared.
 */
const tokenizer = createFakeTokenizer();
const config = { ...tinyConfig, vocabularySize: tokenizer.vocabularySize, contextLength: 160 };
const weights = writeTinyWeights(config, 5);
/** Of the operator set that is being tested. */
let executor: Executor;

/** Below this margin a choice may rightly fall the other way: another chunk or batch rounds differently. */
const smallestMargin = 2e-3;
const tolerance = 5e-4;

/** What a reply is compared by; beyond `decided` tokens it may rightly differ. */
interface Told {
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly number[];
  readonly promptLogprobs: readonly number[];
  readonly reports: readonly EditReport[];
  readonly cachedTokens: number;
  readonly decided: number;
}

/** A reply that is not what the request gives alone. */
class Mismatch extends Error {}

function toldBy(events: readonly GenerationEvent[]): Told {
  const tokens = events.flatMap((event) => (event.type === 'token' ? [event] : []));
  const prompt = events.find((event) => event.type === 'prompt');
  const finish = events.find((event) => event.type === 'finish');
  const margins = tokens.map(({ logprob }) => (logprob?.top[0]?.logprob ?? 0) - (logprob?.top[1]?.logprob ?? 0));
  const undecided = margins.findIndex((margin) => margin < smallestMargin);
  return {
    tokenIds: tokens.map(({ tokenId }) => tokenId),
    logprobs: tokens.map(({ logprob }) => logprob?.logprob ?? Number.NaN),
    promptLogprobs: (prompt?.logprobs ?? []).map((entry) => entry?.logprob ?? 0),
    reports: finish?.edits ?? [],
    cachedTokens: prompt?.cachedTokens ?? 0,
    decided: undecided < 0 ? tokens.length : undecided,
  };
}

function near(name: string, one: number | null | undefined, two: number | null | undefined): void {
  if (one === two) return;
  const [a, b] = [one ?? Number.NaN, two ?? Number.NaN];
  if (!(Math.abs(a - b) <= tolerance * (1 + Math.abs(b)))) throw new Mismatch(`${name}: ${one} instead of ${two}`);
}

function compareReports(reports: readonly EditReport[], expected: readonly EditReport[]): void {
  expected.forEach((report, edit) => {
    const own = reports[edit];
    if (own?.tokens !== report.tokens || own.sinkTokens !== report.sinkTokens) {
      throw new Mismatch(`edit ${edit} touched ${own?.tokens} tokens instead of ${report.tokens}`);
    }
    near('dose', own.relativeDose, report.relativeDose);
    near('coefficient', own.coefficient?.min, report.coefficient?.min);
    near('coefficient', own.coefficient?.max, report.coefficient?.max);
    for (const bound of ['min', 'max', 'mean'] as const) {
      near('read before', own.readBefore?.[bound], report.readBefore?.[bound]);
      near('read after', own.readAfter?.[bound], report.readAfter?.[bound]);
    }
  });
}

/** Holds what a request was told against what it is told alone; a request that left may have been told less. */
function compare(told: Told, alone: Told, whole: boolean): void {
  for (const [at, value] of told.promptLogprobs.entries()) {
    near('prompt log-probability', value, alone.promptLogprobs[at]);
  }
  const count = Math.min(told.tokenIds.length, alone.decided);
  if (whole && told.tokenIds.length !== alone.tokenIds.length) throw new Mismatch('another number of tokens');
  for (let at = 0; at < count; at++) {
    if (told.tokenIds[at] !== alone.tokenIds[at]) throw new Mismatch(`another token at ${at}`);
    near(`log-probability ${at}`, told.logprobs[at], alone.logprobs[at]);
  }
  if (whole && alone.decided === alone.tokenIds.length) compareReports(told.reports, alone.reports);
}

/** An executor for several engines, and a count of the blocks in use. */
function lent(owned: Executor): { readonly executor: Executor; readonly live: () => number } {
  const live = new Set<number>();
  const { blocks } = owned;
  const counted: BlockStore = {
    blockTokens: blocks.blockTokens,
    blockBytes: blocks.blockBytes,
    load: (...where) => blocks.load(...where),
    async save(...where) {
      const saved = await blocks.save(...where);
      for (const block of saved) live.add(block);
      return saved;
    },
    free(block) {
      expect(live.delete(block)).toBe(true);
      blocks.free(block);
    },
  };
  return { executor: lendExecutor(owned, counted), live: () => live.size };
}

const common = { tokenizer, eosTokenIds: [], queueLimit: 100 };
let plain: Engine;
const known = new Map<string, Promise<Told>>();

/** What a request is told by an engine without the cache and without company. */
function alone(entry: ScheduledRequest): Promise<Told> {
  const { delay, leavesAfter, ...content } = entry;
  const name = JSON.stringify(content);
  const told = known.get(name) ?? lastAlone.then(() => tell(plain.submit(buildRequest(entry, `alone-${name}`)), null));
  known.set(name, told);
  lastAlone = told;
  return told;
}
let lastAlone: Promise<unknown> = Promise.resolve();

async function tell(events: AsyncIterable<GenerationEvent>, leavesAfter: number | null): Promise<Told> {
  const seen: GenerationEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (leavesAfter !== null && seen.length > leavesAfter) break;
  }
  return toldBy(seen);
}

/** The same cache, but for the readings of what it restores. */
function withoutReadings(prefix: PrefixSharing | null): PrefixSharing | null {
  return (
    prefix && {
      get tokens() {
        return prefix.tokens;
      },
      known: (sequence) => prefix.known(sequence),
      restore: (sequence, slot) =>
        prefix.restore(
          {
            request: sequence.request,
            length: sequence.length,
            mayTake: sequence.mayTake,
            mayLeave: sequence.mayLeave,
            tokensBetween: (from, to) => sequence.tokensBetween(from, to),
            readingsBetween: () => null,
            forgetReadings: () => {},
            restoreReadings: () => {},
          },
          slot,
        ),
      keep: (sequence, slot, tokens) => prefix.keep(sequence, slot, tokens),
      evict: (tokens) => prefix.evict(tokens),
      statistics: () => prefix.statistics(),
    }
  );
}

interface Mutation {
  readonly keyParts?: KeyParts;
  readonly change?: (prefix: PrefixSharing | null) => PrefixSharing | null;
}

/** Runs a schedule; throws a Mismatch when anyone is told something else than alone. Returns tokens taken from the cache. */
async function runSchedule(schedule: Schedule, { keyParts, change = (same) => same }: Mutation = {}): Promise<number> {
  const { requests, budgetBlocks, keyValueTokenLimit } = schedule;
  const expected: Told[] = [];
  for (const entry of requests) expected.push(await alone(entry));
  const { executor: own, live } = lent(executor);
  const budgetBytes = budgetBlocks * own.blocks.blockBytes;
  const prefix = createPrefixSharing({ blocks: own.blocks, budgetBytes, salt: 'tiny', keyParts });
  const violations: string[] = [];
  const engine = createEngine({
    ...common,
    executor: own,
    prefix: change(prefix),
    ...(keyValueTokenLimit === null ? {} : { keyValueTokenLimit }),
    inspect: (snapshot) => violations.push(...findViolations(snapshot)),
  });
  try {
    const told = await Promise.all(
      requests.map(async (entry, at) => {
        for (let turn = 0; turn < entry.delay * (1 + (at % 5)); turn++) await nextTurn();
        return tell(engine.submit(buildRequest(entry, `row-${at}`)), entry.leavesAfter);
      }),
    );
    told.forEach((reply, at) => {
      compare(reply, expected[at] as Told, requests[at]?.leavesAfter === null);
    });
    expect(violations).toEqual([]);
    return told.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0);
  } finally {
    await engine.drain(0);
    expect(live()).toBe((prefix?.tokens ?? 0) / own.blocks.blockTokens);
    prefix?.evict(Number.MAX_SAFE_INTEGER);
    expect(live()).toBe(0);
    await engine.close();
  }
}

describe.each(await operatorSets())(
  'with the prefix cache and the operators of $operators',
  ({ operators, kernels }) => {
    beforeAll(async () => {
      executor = await openExecutor({ config, weights, slots: 5, context: 160, threads: 1, maxChunk: 24, kernels });
      plain = createEngine({ ...common, executor: lendExecutor(executor) });
      known.clear();
    });
    afterAll(async () => {
      await plain.close();
      await executor.close();
    });

    it('everyone is told what they are told alone, whatever the schedule', async () => {
      let cached = 0;
      await fc.assert(
        fc.asyncProperty(schedules, async (schedule) => {
          cached += await runSchedule(schedule);
        }),
        { numRuns: 60, endOnFailure: true },
      );
      // so that the test is about something
      expect(cached).toBeGreaterThan(1000);
    }, 300_000);

    const mutations: [string, Mutation][] = [
      ['with keys that do not say what the edits do', { keyParts: { parent: true, edits: false, mask: true } }],
      ['with keys that do not say which tokens they touch', { keyParts: { parent: true, edits: true, mask: false } }],
      ['with keys that say neither', { keyParts: { parent: true, edits: false, mask: false } }],
      ['with keys that do not speak for what stands before', { keyParts: { parent: false, edits: true, mask: true } }],
      ['without the readings of what is restored', { change: withoutReadings }],
    ];
    // What keys must say does not depend on who computes: once is enough.
    it.each(operators === 'tiller' ? mutations : [])(
      'they would not be %s',
      async (_what, mutation) => {
        const property = fc.asyncProperty(schedules, async (schedule) => {
          await runSchedule(schedule, mutation);
        });
        const result = await fc.check(property, { numRuns: 60, endOnFailure: true, seed: 7 });
        expect(result.failed).toBe(true);
        expect(result.errorInstance).toBeInstanceOf(Mismatch);
      },
      300_000,
    );
  },
);
