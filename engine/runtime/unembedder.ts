import { LRUCache } from 'lru-cache';
import { type LogitsRow, type ModelConfig, mostUnembedded, TillerError, type UnembeddingKind } from '../core/index.ts';
import { compileUnembedding, type GraphOptions, type LinearOptions, ports } from '../graph/index.ts';
import { BoundStep } from './bound-step.ts';
import type { BuildQueue } from './build-queue.ts';
import type { RuntimeEnvironment } from './environment.ts';
import { logitsReader } from './feeds.ts';
import { Session } from './session.ts';
import type { Variant } from './variants.ts';
import type { WeightStore } from './weight-store.ts';

export interface UnembedderOptions {
  readonly environment: RuntimeEnvironment;
  readonly weights: WeightStore;
  readonly config: ModelConfig;
  readonly linears: LinearOptions;
  readonly graph: GraphOptions;
  /** The library of Tiller's own operators; null for ONNX Runtime's alone. */
  readonly kernels: string | null;
  readonly builds: BuildQueue;
}

/** Numbers of rows that stay bound, of all kinds together: whole pieces and what was left of one. */
const keptShapes = 4;

/**
 * The end of the model by itself: vectors of its stream to logits, over the weights that all its graphs share. Each kind's graph is built
 * when it is first needed and kept. One call at a time.
 */
export class Unembedder {
  private readonly options: UnembedderOptions;
  private readonly ends = new Map<UnembeddingKind, Promise<Variant>>();
  private readonly steps = new LRUCache<string, BoundStep>({ max: keptShapes, dispose: (step) => step.release() });

  constructor(options: UnembedderOptions) {
    this.options = options;
  }

  /** Builds what a kind needs, off the event loop. */
  async prepare(kind: UnembeddingKind): Promise<void> {
    await this.end(kind);
  }

  /** The rows look at memory that the next call overwrites. Throws `step_failed` for vectors that are not whole or too many. */
  async run(kind: UnembeddingKind, vectors: Float32Array): Promise<readonly LogitsRow[]> {
    const { config, environment } = this.options;
    const { dModel, vocabularySize } = config;
    const rows = vectors.length / dModel;
    if (!Number.isInteger(rows) || rows < 1 || rows > mostUnembedded) {
      const message = `${rows} vectors cannot be turned into logits at once; 1 to ${mostUnembedded} can be.`;
      throw new TillerError('step_failed', message);
    }
    const end = await this.end(kind);
    const key = `${kind} ${rows}`;
    let step = this.steps.get(key);
    if (!step) {
      step = new BoundStep(environment, end, { R: rows }, { inputs: new Map(), outputs: new Map() });
      this.steps.set(key, step);
    }
    step.float32(ports.vectors).set(vectors);
    await step.run();
    const logits = step.float32(ports.logits);
    const read = logitsReader(step, vocabularySize, (r) =>
      logits.subarray(r * vocabularySize, (r + 1) * vocabularySize),
    );
    return Array.from({ length: rows }, (_, r) => read(r));
  }

  /** Once nothing runs. */
  async close(): Promise<void> {
    this.steps.clear();
    const ends = await Promise.allSettled(this.ends.values());
    for (const end of ends) if (end.status === 'fulfilled') end.value.session.close();
    this.ends.clear();
  }

  private end(kind: UnembeddingKind): Promise<Variant> {
    const found = this.ends.get(kind);
    if (found) return found;
    const built = this.options.builds.run(() => this.build(kind));
    this.ends.set(kind, built);
    // one that failed is tried again
    built.catch(() => this.ends.delete(kind));
    return built;
  }

  private async build(kind: UnembeddingKind): Promise<Variant> {
    const { environment, weights, config, linears, graph: how, kernels } = this.options;
    const graph = compileUnembedding(config, kind, linears, how);
    try {
      const selected = weights.select(graph.weights.keys());
      const session = await Session.create(environment, graph.bytes, selected, weights.prepacked, kernels);
      return { key: `unembedding ${kind}`, sites: { edits: new Set(), taps: new Set() }, graph, session };
    } finally {
      await weights.dropOriginals();
    }
  }
}
