import { LRUCache } from 'lru-cache';
import type { ModelConfig } from '../core/index.ts';
import { type CompiledGraph, compileDecoder, type OpenSites } from '../graph/index.ts';
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

/** Builds graph variants when they are first needed, off the event loop, and keeps the most recently used. */
export class Variants {
  built = 0;
  private readonly ready: LRUCache<string, Variant>;
  private readonly building = new Map<string, Promise<Variant>>();
  /** Packing the same weights twice at once would only double the peak of memory. */
  private lastBuild: Promise<unknown> = Promise.resolve();
  private readonly build: (sites: OpenSites) => Promise<{ graph: CompiledGraph; session: Session }>;

  /** `evicted` is told of a variant that is to be closed: it must let go of everything bound to it, and close the session. */
  constructor(
    options: { environment: RuntimeEnvironment; weights: WeightStore; config: ModelConfig; context: number },
    evicted: (variant: Variant) => void,
  ) {
    const { environment, weights, config, context } = options;
    this.ready = new LRUCache({ max: keptVariants, dispose: evicted });
    this.build = async (sites) => {
      const graph = compileDecoder(config, context, sites);
      const selected = weights.select(graph.weights.keys());
      const session = await Session.create(environment, graph.bytes, selected, weights.prepacked);
      weights.dropOriginals();
      return { graph, session };
    };
  }

  get size(): number {
    return this.ready.size;
  }

  /**
   * A variant that can run these hook points: the one that opens exactly them, else a ready one that opens few more, else the
   * exact one is built. A batch without edits never runs a graph with edits in it.
   */
  async choose(sites: OpenSites): Promise<Variant> {
    return this.ready.get(variantKey(sites)) ?? this.readySuperset(sites) ?? (await this.get(sites));
  }

  /** The variant that opens exactly these hook points; built if need be. */
  async get(sites: OpenSites): Promise<Variant> {
    const key = variantKey(sites);
    const found = this.ready.get(key) ?? this.building.get(key);
    if (found) return found;
    const started = this.lastBuild.then(async () => {
      const variant = { key, sites, ...(await this.build(sites)) };
      this.built++;
      this.ready.set(key, variant);
      return variant;
    });
    this.building.set(key, started);
    this.lastBuild = started.catch(() => undefined);
    try {
      return await started;
    } finally {
      this.building.delete(key);
    }
  }

  private readySuperset(sites: OpenSites): Variant | undefined {
    if (sites.edits.size === 0) return undefined;
    const fits = [...this.ready.values()].filter(
      ({ sites: open }) =>
        open.taps.size === sites.taps.size &&
        open.edits.size <= sites.edits.size + idleSites &&
        [...sites.taps].every((tap) => open.taps.has(tap)) &&
        [...sites.edits].every((edit) => open.edits.has(edit)),
    );
    const smallest = fits.sort((a, b) => a.sites.edits.size - b.sites.edits.size)[0];
    return smallest && this.ready.get(smallest.key);
  }

  /** Waits for what is being built, then evicts everything. */
  async close(): Promise<void> {
    await this.lastBuild;
    this.ready.clear();
  }
}

export function variantKey(sites: OpenSites): string {
  return `edits=${[...sites.edits].sort().join(',')};taps=${[...sites.taps].sort().join(',')}`;
}
