import { LRUCache } from 'lru-cache';
import { type ModelConfig, TillerError } from '../core/index.ts';
import {
  type CompiledGraph,
  compileDecoder,
  editableHookPoints,
  type GraphOptions,
  type LinearOptions,
  type OpenSites,
} from '../graph/index.ts';
import type { BuildQueue } from './build-queue.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { Session } from './session.ts';
import { chooseVariant, rememberedSteps } from './variant-policy.ts';
import type { WeightStore } from './weight-store.ts';

/** A compiled graph in a session. */
export interface Variant {
  /** Names the hook points it opens; equal keys are equal graphs. */
  readonly key: string;
  readonly sites: OpenSites;
  readonly graph: Pick<CompiledGraph, 'inputs' | 'outputs' | 'blocks'>;
  readonly session: Session;
}

/**
 * How many variants stay loaded besides the closed one and the one that opens everything. Each costs a graph and its small
 * constants, some 6 megabytes: weights are shared.
 */
export const defaultKeptVariants = 8;

export interface VariantsOptions {
  readonly environment: RuntimeEnvironment;
  readonly weights: WeightStore;
  readonly config: ModelConfig;
  readonly context: number;
  /** How linear layers are computed. */
  readonly linears: LinearOptions;
  readonly graph: GraphOptions;
  /** The library of Tiller's own operators; null for ONNX Runtime's alone. */
  readonly kernels: string | null;
  /** Shared by all that build over the same weights. */
  readonly builds: BuildQueue;
  /** How many stay loaded (`defaultKeptVariants`). */
  readonly kept: number;
}

/** Counters for metrics; they only grow. */
export interface VariantCounts {
  built: number;
  evicted: number;
  /** Steps that ran a wider variant than they should because a better one was not there yet. */
  fallbackSteps: number;
  buildMilliseconds: number;
}

/**
 * Builds graph variants when they are first needed, off the event loop, and keeps the most recently used. The closed one (no
 * edits, no taps) and the one that opens every hook point, if it was asked for, are kept for good.
 */
export class Variants {
  readonly counts: VariantCounts = { built: 0, evicted: 0, fallbackSteps: 0, buildMilliseconds: 0 };
  private readonly options: VariantsOptions;
  private readonly kept = new Map<string, Variant>();
  private readonly ready: LRUCache<string, Variant>;
  /** Keys of those that are kept for good. */
  private readonly lasting: ReadonlySet<string>;
  private readonly allOpen: OpenSites;
  private readonly evicted: (variant: Variant) => void;
  private readonly building = new Map<string, Promise<Variant>>();
  /** What the last steered steps needed. */
  private readonly recent: OpenSites[] = [];
  private shut = false;

  /** `evicted` is told of a variant that is to be closed: it must let go of everything bound to it, and close the session. */
  constructor(options: VariantsOptions, evicted: (variant: Variant) => void) {
    this.options = options;
    this.evicted = evicted;
    this.allOpen = { edits: new Set(editableHookPoints(options.config)), taps: new Set() };
    this.lasting = new Set([{ edits: new Set<string>(), taps: new Set<string>() }, this.allOpen].map(variantKey));
    this.ready = new LRUCache({
      max: options.kept,
      dispose: (variant, _key, reason) => {
        if (reason === 'evict') this.counts.evicted++;
        evicted(variant);
      },
    });
  }

  get size(): number {
    return this.ready.size + this.kept.size;
  }

  /**
   * Settles when a step that needs these hook points can run: at once if a ready variant opens them, however many others it
   * opens (the first step then has what is worth building built behind it); else when the one that opens just them is built.
   */
  async ensure(sites: OpenSites): Promise<void> {
    const wide =
      sites.edits.size > 0 &&
      sites.taps.size === 0 &&
      !sites.encoders?.size &&
      !sites.replaced?.size &&
      this.building.get(variantKey(this.allOpen));
    if (wide) await wide.catch(() => undefined);
    if (this.choose(sites).run === null) await this.get(sites);
  }

  /**
   * A variant that runs a step with these hook points, at once if any can (variant-policy.ts). A batch without edits never
   * runs a graph with edits in it.
   */
  async chooseForStep(sites: OpenSites): Promise<Variant> {
    if (sites.edits.size > 0 && !sites.tapsOnly) this.recent.push(sites);
    if (this.recent.length > rememberedSteps) this.recent.shift();
    const { run, build, wide } = this.choose(sites);
    if (run === null) return this.get(sites);
    if (wide) this.counts.fallbackSteps++;
    // One at a time: steps may come to need others before it is done. A failure shows when a step has to wait for it.
    if (build && this.building.size === 0) this.get(build, false).catch(() => undefined);
    return run;
  }

  /** Builds, behind everything that somebody waits for, the variant that opens every hook point. */
  async openAll(): Promise<void> {
    await this.get(this.allOpen, false);
  }

  private choose(sites: OpenSites): { run: Variant | null; build: OpenSites | null; wide: boolean } {
    const all = [...this.kept.values(), ...this.ready.values()];
    const choice = chooseVariant(
      sites,
      all.map((variant) => variant.sites),
      this.recent,
    );
    const chosen = choice.run === null ? null : (all[choice.run] as Variant);
    // Asked for by name, it counts as used.
    if (chosen) this.ready.get(chosen.key);
    return { ...choice, run: chosen };
  }

  /** The variant that opens exactly these hook points; built if need be. */
  private async get(sites: OpenSites, urgent = true): Promise<Variant> {
    const key = variantKey(sites);
    const found = this.kept.get(key) ?? this.ready.get(key) ?? this.building.get(key);
    if (found) return found;
    const started = this.options.builds.run(() => this.build(key, sites), urgent);
    this.building.set(key, started);
    try {
      return await started;
    } finally {
      this.building.delete(key);
    }
  }

  private async build(key: string, sites: OpenSites): Promise<Variant> {
    if (this.shut) throw new TillerError('step_failed', 'The model was unloaded before this variant was built.');
    const { environment, weights, config, context, linears, graph: how, kernels } = this.options;
    const began = performance.now();
    const graph = compileDecoder(config, context, sites, linears, how);
    const selected = weights.select(graph.weights.keys());
    try {
      const session = await Session.create(environment, graph.bytes, selected, weights.prepacked, kernels);
      const { inputs, outputs, blocks } = graph;
      const variant = { key, sites, graph: { inputs, outputs, blocks }, session };
      if (this.lasting.has(key)) this.kept.set(key, variant);
      else this.ready.set(key, variant);
      this.counts.built++;
      this.counts.buildMilliseconds += performance.now() - began;
      return variant;
    } finally {
      await weights.dropOriginals();
    }
  }

  /** Waits for what is being built, gives up what waits to be built, and evicts everything. */
  async close(): Promise<void> {
    this.shut = true;
    await this.options.builds.idle();
    this.ready.clear();
    for (const variant of this.kept.values()) this.evicted(variant);
    this.kept.clear();
  }
}

export function variantKey(sites: OpenSites): string {
  const open = `edits=${[...sites.edits].sort().join(',')};taps=${[...sites.taps].sort().join(',')}`;
  const replaced = [...(sites.replaced ?? [])].sort().join(',');
  const encoders = [...(sites.encoders ?? [])].sort().join(';');
  return `${open}${encoders && `;encoders=${encoders}`}${replaced && `;replaced=${replaced}`}${sites.tapsOnly ? ';only' : ''}${
    sites.startsAt === undefined ? '' : `;from=${sites.startsAt}`
  }`;
}
