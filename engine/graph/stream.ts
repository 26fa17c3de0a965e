import type { OperatorSet } from '../core/index.ts';
import { addEdit, addEditPort } from './edit-port.ts';
import type { LinearBuilder } from './linear.ts';
import { ports } from './names.ts';
import { addNorm, addSkipNorm, type NormWeights } from './norm.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Sites } from './sites.ts';

export interface StreamOptions {
  readonly dModel: number;
  readonly epsilon: number;
  readonly sites: Sites;
  readonly operators: OperatorSet;
  /** Of the layers that write the stream and read its norms. */
  readonly linears: LinearBuilder;
}

/** The residual stream while a decoder is being built: its value, and what sublayers added that is not summed yet. */
export class ResidualStream {
  private readonly graph: OnnxGraph;
  private readonly dModel: number;
  private readonly epsilon: number;
  private readonly sites: Sites;
  private readonly operators: OperatorSet;
  private readonly linears: LinearBuilder;
  private value: string;
  private pending: string | null = null;

  constructor(graph: OnnxGraph, value: string, options: StreamOptions) {
    this.graph = graph;
    this.value = value;
    this.dModel = options.dModel;
    this.epsilon = options.epsilon;
    this.sites = options.sites;
    this.operators = options.operators;
    this.linears = options.linears;
  }

  /** Adds a sublayer's output; it is summed at the next `normalized`. */
  add(output: string): void {
    this.pending = this.pending === null ? output : this.graph.node(`${output}/both`, 'Add', [this.pending, output]);
  }

  /** The stream as it was at the last `normalized`, edits included. */
  get current(): string {
    return this.value;
  }

  /**
   * Passes the hook point, edits and taps it where the variant says so, and returns the normalised stream.
   *
   *     no edits:   (value, pending) → SkipSimplifiedLayerNormalization → normalised, value'
   *     edits:      Add(value, pending) = x → edit port → delta ; (x, delta) → SkipSimplifiedLayerNormalization → normalised, x'
   *
   * so that an edit costs its own arithmetic and nothing more: its sum is fused with the norm that comes anyway. With Tiller's own
   * operators an open hook point is one node (engine/kernels/edit.cpp).
   *
   * @param reader the group of linear layers that alone reads the result; null for anything else
   */
  normalized(hookPoint: string, norm: NormWeights, reader: string | null = null): string {
    if (this.sites.replaces(hookPoint)) this.replace(hookPoint);
    const edited = this.sites.edits(hookPoint);
    const name = `${hookPoint}/norm`;
    if (this.operators === 'tiller') {
      if (edited) this.editAtOnce(hookPoint);
      this.normalizeOwn(hookPoint, name, norm, reader);
    } else {
      const port = edited ? this.openEdits(hookPoint) : null;
      this.normalize(hookPoint, name, norm);
      port?.readAfter(this.value);
    }
    this.sites.offer(hookPoint, this.value, this.dModel);
    return name;
  }

  /**
   * What stands in for the stream stands in for all of it: nothing is added to it then. Whatever is left as it is is summed and normalised
   * by the nodes that do it in any graph, so that its bits are the same.
   */
  private replace(hookPoint: string): void {
    const { graph, pending, linears } = this;
    this.value = this.sites.replace(hookPoint, this.value, this.dModel);
    if (pending === null) return;
    const mask = ports.replacementMask(hookPoint);
    this.pending = graph.node(`${hookPoint}/left`, 'Where', [mask, graph.scalar(0), pending]);
    linears.keepScale(this.pending, pending);
  }

  private editAtOnce(hookPoint: string): void {
    const { value, pending } = this;
    const stream = { value, pending: pending ?? '', pendingScale: this.linears.rowScale(pending ?? '') };
    this.sites.encode(hookPoint, stream, this.dModel);
    this.value = addEdit(this.graph, hookPoint, stream, this.dModel);
    this.pending = null;
  }

  /**
   * One operator for every norm that has no bias, summed or not: ONNX Runtime's two add squares in different orders, and the last digits
   * of a reply would say which hook points the variant that ran it opens. Norms with a bias are left to ONNX Runtime, and do say it.
   */
  private normalizeOwn(hookPoint: string, name: string, norm: NormWeights, reader: string | null): void {
    const { pending, linears } = this;
    const rounds = reader !== null && linears.takesQuanta(reader);
    const scale = linears.rowScale(pending ?? '');
    if (norm.bias !== null) {
      this.normalize(hookPoint, name, norm);
      return;
    }
    const quantised = { quanta: `${name}/quanta`, scale: `${name}/scale` };
    const summed = pending === null ? '' : hookPoint;
    const outputs = rounds ? [summed, '', quantised.quanta, quantised.scale] : [summed, name];
    this.graph.node(name, 'ResidualNorm', [this.value, pending ?? '', scale, norm.weight], {
      attributes: { epsilon: { float: this.epsilon } },
      domain: 'tiller',
      outputs,
    });
    if (rounds) linears.know(name, quantised);
    if (pending !== null) this.value = hookPoint;
    this.pending = null;
  }

  private normalize(hookPoint: string, name: string, norm: NormWeights): void {
    const { graph, value, pending, epsilon: normEpsilon } = this;
    if (pending === null) {
      addNorm(graph, { normEpsilon }, name, value, norm);
      return;
    }
    addSkipNorm(graph, { normEpsilon }, { name, value, pending, sum: hookPoint }, norm);
    this.value = hookPoint;
    this.pending = null;
  }

  private openEdits(hookPoint: string) {
    if (this.pending !== null) {
      this.value = this.graph.node(`${hookPoint}/unedited`, 'Add', [this.value, this.pending]);
    }
    this.sites.encode(hookPoint, { value: this.value, pending: '', pendingScale: '' }, this.dModel);
    const port = addEditPort(this.graph, hookPoint, this.value, this.dModel);
    this.pending = port.delta;
    return port;
  }
}
