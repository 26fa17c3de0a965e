import { LRUCache } from 'lru-cache';
import { type ModelConfig, TillerError } from '../core/index.ts';
import { type CompiledGraph, compileDecoder, type OpenSites } from '../graph/index.ts';
import type { BuildQueue } from './build-queue.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { Session } from './session.ts';
import type { WeightStore } from './weight-store.ts';

/** A compiled graph in a session. */
export interface Variant {
  /** Names the hook points it opens; equal keys are equal graphs. */
  readonly key: string;
  readonly sites: OpenSites;
  readonly graph: CompiledGraph;
  readonly session: Session;
}

/** How many variants besides the closed one stay loaded. Each costs a graph and its small constants: weights are shared. */
const keptVariants = 12;

/**
 * How many hook points with edits a steered batch may find open without needing them. An open one costs a small fraction of
 * a millisecond a step, building a variant costs most of a second.
 */
const idleSites = 8;

/**
 * Builds graph variants when they are first needed, off the event loop, and keeps the most recently used; the closed one
 * (no edits, no taps) is kept for good.
 */
export class Variants {
  built = 0;
  private readonly ready: LRUCache<string, Variant>;
  private closedVariant: Variant | null = null;
  private shut = false;
  private readonly evicted: (variant: Variant) => void;
  private readonly building = new Map<string, Promise<Variant>>();
  private readonly builds: BuildQueue;
  private readonly build: (sites: OpenSites) => Promise<{ graph: CompiledGraph; session: Session }>;

  /** `evicted` is told of a variant that is to be closed: it must let go of everything bound to it, and close the session. */
  constructor(
    options: {
      readonly environment: RuntimeEnvironment;
      readonly weights: WeightStore;
      readonly config: ModelConfig;
      readonly context: number;
      /** Weights to be read as four-bit blocks. */
      readonly fourBit: ReadonlySet<string>;
      /** Shared by all that build over the same weights. */
      readonly builds: BuildQueue;
    },
    evicted: (variant: Variant) => void,
  ) {
    const { environment, weights, config, context, fourBit } = options;
    this.builds = options.builds;
    this.evicted = evicted;
    this.ready = new LRUCache({ max: keptVariants, dispose: evicted });
    this.build = async (sites) => {
      const graph = compileDecoder(config, context, sites, fourBit);
      const selected = weights.select(graph.weights.keys());
      try {
        return { graph, session: await Session.create(environment, graph.bytes, selected, weights.prepacked) };
      } finally {
        weights.dropOriginals();
      }
    };
  }

  get size(): number {
    return this.ready.size + (this.closedVariant ? 1 : 0);
  }

  /**
   * A variant that can run these hook points: the one that opens exactly them, else a ready one that opens few more, else the
   * exact one is built. A batch without edits never runs a graph with edits in it.
   */
  async choose(sites: OpenSites): Promise<Variant> {
    return this.find(variantKey(sites)) ?? this.readySuperset(sites, idleSites) ?? (await this.get(sites));
  }

  /**
   * The same for a step that should not wait: while the exact variant is being built, a ready one runs that opens these hook
   * points and any number more.
   */
  async chooseForStep(sites: OpenSites): Promise<Variant> {
    const near = this.find(variantKey(sites)) ?? this.readySuperset(sites, idleSites);
    if (near) return near;
    const wide = this.readySuperset(sites, Number.POSITIVE_INFINITY);
    if (!wide) return this.get(sites);
    // One at a time: steps may come to need others before it is done. A failure shows when a step has to wait for it.
    if (this.building.size === 0) this.get(sites).catch(() => undefined);
    return wide;
  }

  /** The variant that opens exactly these hook points; built if need be. */
  async get(sites: OpenSites): Promise<Variant> {
    const key = variantKey(sites);
    const found = this.find(key) ?? this.building.get(key);
    if (found) return found;
    const started = this.builds.run(async () => {
      if (this.shut) throw new TillerError('step_failed', 'The model was unloaded before this variant was built.');
      const variant = { key, sites, ...(await this.build(sites)) };
      this.built++;
      if (sites.edits.size + sites.taps.size === 0) this.closedVariant = variant;
      else this.ready.set(key, variant);
      return variant;
    });
    this.building.set(key, started);
    try {
      return await started;
    } finally {
      this.building.delete(key);
    }
  }

  private find(key: string): Variant | undefined {
    return this.closedVariant?.key === key ? this.closedVariant : this.ready.get(key);
  }

  /** The narrowest ready variant that opens these hook points for edits and at most so many more, and exactly these taps. */
  private readySuperset(sites: OpenSites, idle: number): Variant | undefined {
    if (sites.edits.size === 0) return undefined;
    const fits = [...this.ready.values()].filter(
      ({ sites: open }) =>
        open.taps.size === sites.taps.size &&
        open.edits.size <= sites.edits.size + idle &&
        [...sites.taps].every((tap) => open.taps.has(tap)) &&
        [...sites.edits].every((edit) => open.edits.has(edit)),
    );
    const smallest = fits.sort((a, b) => a.sites.edits.size - b.sites.edits.size)[0];
    return smallest && this.ready.get(smallest.key);
  }

  /** Waits for what is being built, gives up what waits to be built, and evicts everything. */
  async close(): Promise<void> {
    this.shut = true;
    await this.builds.idle();
    this.ready.clear();
    if (this.closedVariant) this.evicted(this.closedVariant);
    this.closedVariant = null;
  }
}

export function variantKey(sites: OpenSites): string {
  return `edits=${[...sites.edits].sort().join(',')};taps=${[...sites.taps].sort().join(',')}`;
}
