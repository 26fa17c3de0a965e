import { addEditPort } from './edit-port.ts';
import { ports } from './names.ts';
import type { OnnxGraph } from './onnx.ts';

/** Hook points that a variant opens, canonical spelling. */
export interface OpenSites {
  readonly edits: ReadonlySet<string>;
  readonly taps: ReadonlySet<string>;
}

/** The residual stream while a decoder is being built: its value, and what sublayers added that is not summed yet. */
export class ResidualStream {
  private readonly graph: OnnxGraph;
  private readonly dModel: number;
  private readonly epsilon: number;
  private readonly sites: OpenSites;
  /** Hook points passed so far that the variant opens. */
  private readonly opened = { edits: new Set<string>(), taps: new Set<string>() };
  private value: string;
  private pending: string | null = null;

  constructor(graph: OnnxGraph, value: string, options: { dModel: number; epsilon: number; sites: OpenSites }) {
    this.graph = graph;
    this.value = value;
    this.dModel = options.dModel;
    this.epsilon = options.epsilon;
    this.sites = options.sites;
  }

  /** Adds a sublayer's output; it is summed at the next `normalized`. */
  add(output: string): void {
    this.pending = output;
  }

  /**
   * Passes the hook point, edits and taps it where the variant says so, and returns the RMS-normalised stream.
   *
   *     no edits:   (value, pending) → SkipSimplifiedLayerNormalization → normalised, value'
   *     edits:      Add(value, pending) = x → edit port → delta ; (x, delta) → SkipSimplifiedLayerNormalization → normalised, x'
   *
   * so that an edit costs its own arithmetic and nothing more: its sum is fused with the norm that comes anyway.
   */
  normalized(hookPoint: string, normWeight: string): string {
    const name = `${hookPoint}/norm`;
    const port = this.sites.edits.has(hookPoint) ? this.openEdits(hookPoint) : null;
    let normalized: string;
    if (this.pending === null) {
      normalized = this.graph.node(name, 'SimplifiedLayerNormalization', [this.value, normWeight], {
        attributes: { axis: -1, epsilon: { float: this.epsilon }, stash_type: 1 },
      });
    } else {
      normalized = this.graph.node(name, 'SkipSimplifiedLayerNormalization', [this.value, this.pending, normWeight], {
        attributes: { epsilon: { float: this.epsilon } },
        domain: 'com.microsoft',
        outputs: [name, '', '', hookPoint],
      });
      this.value = hookPoint;
      this.pending = null;
    }
    port?.readAfter(this.value);
    if (this.sites.taps.has(hookPoint)) this.tap(hookPoint);
    return normalized;
  }

  /** The stream as it is now, as an output. */
  tap(hookPoint: string): void {
    this.opened.taps.add(hookPoint);
    this.graph.node(`${hookPoint}/tap`, 'Identity', [this.value], { outputs: [ports.tap(hookPoint)] });
    this.graph.output(ports.tap(hookPoint), 'float32', ['B', 'S', this.dModel]);
  }

  /** Hook points that the variant should open and that the decoder never passed. */
  missing(): string[] {
    const { edits, taps } = this.sites;
    return [
      ...[...edits].filter((site) => !this.opened.edits.has(site)),
      ...[...taps].filter((site) => !this.opened.taps.has(site)),
    ];
  }

  private openEdits(hookPoint: string) {
    this.opened.edits.add(hookPoint);
    if (this.pending !== null) {
      this.value = this.graph.node(`${hookPoint}/unedited`, 'Add', [this.value, this.pending]);
    }
    const port = addEditPort(this.graph, hookPoint, this.value, this.dModel);
    this.pending = port.delta;
    return port;
  }
}
