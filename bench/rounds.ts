import { busySeconds, otherLoad, quietLimit } from './other-load.ts';
import type { Disturbance } from './results-common.ts';

export interface RoundOptions {
  readonly rounds: number;
  /** Rounds that may be measured again because other programs disturbed them. */
  readonly retries: number;
  /** Processor seconds of this program and of everything that it started, so far. */
  ownSeconds(): number;
}

export interface Rounds<Figures> extends Disturbance {
  readonly figures: readonly Figures[];
}

/**
 * Takes every figure once a round. `take` gives a round's figures and a few words for the progress line. A round that other programs disturb is
 * measured again, whatever its figures, as long as there are retries left.
 */
export async function measureRounds<Figures>(
  options: RoundOptions,
  take: (round: number) => Promise<{ readonly figures: Figures; readonly headline: string }>,
): Promise<Rounds<Figures>> {
  const kept: Figures[] = [];
  const loads: number[] = [];
  let disturbedRounds = 0;
  while (kept.length < options.rounds) {
    const before = { busy: busySeconds(), own: options.ownSeconds(), at: performance.now() };
    const { figures, headline } = await take(kept.length);
    const seconds = (performance.now() - before.at) / 1000;
    const load = otherLoad(busySeconds() - before.busy, options.ownSeconds() - before.own, seconds);
    const again = load > quietLimit && disturbedRounds < options.retries;
    const state = `${seconds.toFixed(0)} s, other load ${load.toFixed(2)}${again ? ', disturbed: once more' : ''}`;
    console.error(`Round ${kept.length + 1} of ${options.rounds}, ${state}: ${headline}`);
    if (again) {
      disturbedRounds++;
      continue;
    }
    kept.push(figures);
    loads.push(load);
  }
  return { figures: kept, otherLoad: loads, disturbedRounds };
}

/** Processor seconds of this process so far. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
