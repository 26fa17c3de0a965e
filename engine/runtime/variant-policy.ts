import type { OpenSites } from '../graph/index.ts';

/**
 * How many hook points with edits a steered step may find open without needing them. An open one costs a step some 40
 * microseconds, building a variant costs most of a second of one core.
 */
export const idleSites = 8;

/** How many steered steps are looked back on to see what a step will find beside it. */
export const rememberedSteps = 32;

/** After so many steps in a row that a variant would have served, it is worth building whatever else there was before. */
const steadySteps = 8;

export interface VariantChoice {
  /** Which of the ready ones runs the step; null: none can, the step waits for `build`. */
  readonly run: number | null;
  /** What should be built: behind the step where one is ready. */
  readonly build: OpenSites | null;
  /** Whether more hook points are open than would be left open for good. */
  readonly wide: boolean;
}

/**
 * Chooses the variant for a step, and what is worth building for the steps to come. A step without edits runs with none open;
 * one with edits runs a ready variant that opens its hook points and no more than `idleSites` others if there is one, else
 * the smallest ready one that opens them while something narrower is built. It never runs one that opens less. One that wants
 * nothing but taps runs the variant that ends with them.
 *
 * @param need what the step needs opened
 * @param ready what the variants at hand open
 * @param recent what the last steered steps needed, this one last
 */
export function chooseVariant(
  need: OpenSites,
  ready: readonly OpenSites[],
  recent: readonly OpenSites[],
): VariantChoice {
  const run = smallestFit(need, ready);
  if (run === null) return { run, build: need, wide: false };
  const open = ready[run] as OpenSites;
  if (open.edits.size <= need.edits.size + idleSites) return { run, build: null, wide: false };
  return { run, build: worthBuilding(need, open, recent), wide: true };
}

/** Place of the ready variant that opens these hook points and the fewest others for edits, and exactly these taps and encoders. */
function smallestFit(need: OpenSites, ready: readonly OpenSites[]): number | null {
  let best: number | null = null;
  for (const [at, open] of ready.entries()) {
    if (!fits(need, open)) continue;
    if (best === null || openPlaces(open) < openPlaces(ready[best] as OpenSites)) best = at;
  }
  return best;
}

function openPlaces({ edits, replaced }: OpenSites): number {
  return edits.size + (replaced?.size ?? 0);
}

function fits(need: OpenSites, open: OpenSites): boolean {
  if ((need.tapsOnly === true) !== (open.tapsOnly === true)) return false;
  if (need.startsAt !== open.startsAt) return false;
  // More open places could mean more blocks.
  if (need.tapsOnly && openPlaces(open) !== openPlaces(need)) return false;
  if (open.taps.size !== need.taps.size || open.edits.size < need.edits.size) return false;
  if (!sameSet(open.encoders ?? none, need.encoders ?? none)) return false;
  if (!mayReplace(need, open)) return false;
  // What is not steered runs a graph without any steering in it.
  if (need.edits.size === 0 && open.edits.size > 0) return false;
  return includes(open.edits, need.edits) && includes(open.taps, need.taps);
}

/**
 * What should replace a variant that is too wide. Steps that keep changing their hook points would ask for one variant after
 * the other, each outdated before it is built: then one that opens what all of them needed serves them, if it is narrower
 * than what serves them now.
 */
function worthBuilding(need: OpenSites, wide: OpenSites, recent: readonly OpenSites[]): OpenSites | null {
  const alike = recent.filter((sites) => sameSet(sites.taps, need.taps) && sameReadings(sites, need));
  const edits = new Set([...need.edits, ...alike.flatMap((sites) => [...sites.edits])]);
  if (edits.size <= need.edits.size + idleSites) return { ...need, edits };
  const last = recent.slice(-steadySteps);
  if (last.length === steadySteps && last.every((sites) => includes(need.edits, sites.edits))) return need;
  return edits.size + idleSites < wide.edits.size ? { ...need, edits } : null;
}

const none: ReadonlySet<string> = new Set();

/**
 * Where a step replaces anything it runs a graph that can, maybe at other places, too, where it then replaces nothing. Graphs that start at
 * a block are there for what replaces something in one step or another.
 */
function mayReplace({ replaced: need = none, startsAt }: OpenSites, { replaced: open = none }: OpenSites): boolean {
  return need.size === 0 && startsAt === undefined ? open.size === 0 : includes(open, need);
}

function sameReadings(one: OpenSites, other: OpenSites): boolean {
  return sameSet(one.encoders ?? none, other.encoders ?? none) && sameSet(one.replaced ?? none, other.replaced ?? none);
}

function sameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && includes(one, other);
}

function includes(all: ReadonlySet<string>, some: ReadonlySet<string>): boolean {
  for (const each of some) if (!all.has(each)) return false;
  return true;
}
