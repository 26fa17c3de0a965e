import { type ModelConfig, type OperatorSet, TillerError, whyNotEditable } from '../core/index.ts';
import { addEdit, addEditPort, type EditedStream } from './edit-port.ts';
import { addEncoder, hookPointOfEncoder } from './encode-port.ts';
import { keyDimension, ports } from './names.ts';
import type { NormWeights } from './norm.ts';
import type { Dimension, OnnxGraph } from './onnx.ts';

/** Hook points that a variant opens, canonical spelling. */
export interface OpenSites {
  readonly edits: ReadonlySet<string>;
  readonly taps: ReadonlySet<string>;
  /** Addresses of encoders (encode-port.ts); left out: none. */
  readonly encoders?: ReadonlySet<string>;
  /** Hook points whose values may be replaced; left out: none. */
  readonly replaced?: ReadonlySet<string>;
  /** Nothing else is given out: no logits are made, and no block is run that none of the above needs. */
  readonly tapsOnly?: boolean;
  /** The first block run: what enters it is an input, and nothing before it is computed. Left out: all are. */
  readonly startsAt?: number;
}

/** The hook points of one variant while its graph is being built: what is edited where, and what is given out besides logits. */
export class Sites {
  private readonly graph: OnnxGraph;
  private readonly open: OpenSites;
  private readonly operators: OperatorSet;
  /** Hook points passed so far that the variant opens. */
  private readonly passed = {
    edits: new Set<string>(),
    taps: new Set<string>(),
    encoders: new Set<string>(),
    replaced: new Set<string>(),
  };
  /** Addresses of encoders by hook point. */
  private readonly encoders = new Map<string, string[]>();

  /** Throws `edit_not_applicable` for an edit that no graph can make. */
  constructor(graph: OnnxGraph, open: OpenSites, operators: OperatorSet) {
    this.graph = graph;
    this.open = open;
    this.operators = operators;
    for (const site of open.encoders ?? []) {
      const hookPoint = hookPointOfEncoder(site);
      this.encoders.set(hookPoint, [...(this.encoders.get(hookPoint) ?? []), site]);
    }
    for (const name of [...open.edits, ...(open.replaced ?? [])]) {
      const reason = whyNotEditable(name);
      if (reason !== null) throw new TillerError('edit_not_applicable', `'${name}' cannot be edited: ${reason}.`);
    }
  }

  /** Whether any of these is opened: whoever makes them must then make them whole, [B, S, width], with nothing left to be multiplied. */
  wants(...names: readonly string[]): boolean {
    const { taps, edits, replaced } = this.open;
    return names.some((name) => taps.has(name) || edits.has(name) || this.encoders.has(name) || replaced?.has(name));
  }

  /** Whether edits are made there; whoever asks makes them. */
  edits(hookPoint: string): boolean {
    if (!this.open.edits.has(hookPoint)) return false;
    this.passed.edits.add(hookPoint);
    return true;
  }

  /** Whether values are replaced there. */
  replaces(hookPoint: string): boolean {
    return this.open.replaced?.has(hookPoint) ?? false;
  }

  /** A tensor [B, S, width] with what stands in for it, where the variant says so. */
  replace(hookPoint: string, tensor: string, width: number): string {
    if (!this.replaces(hookPoint)) return tensor;
    this.passed.replaced.add(hookPoint);
    const values = this.graph.input(ports.replacement(hookPoint), 'float32', ['B', 'S', width]);
    const mask = this.graph.input(ports.replacementMask(hookPoint), 'bool', ['B', 'S', 1]);
    return this.graph.node(`${hookPoint}/replaced`, 'Where', [mask, values, tensor]);
  }

  /** Has the encoders there read the stream, before edits; once, whoever calls first. */
  encode(hookPoint: string, stream: EditedStream, width: number): void {
    for (const site of this.encoders.get(hookPoint) ?? []) {
      if (this.passed.encoders.has(site)) continue;
      this.passed.encoders.add(site);
      addEncoder(this.graph, site, stream, { width, operators: this.operators });
    }
  }

  /** Passes a tensor [B, S, width] by a hook point: reads it, edits it and gives it out, where the variant says so. Returns what goes on. */
  pass(hookPoint: string, made: string, width: number): string {
    const tensor = this.replace(hookPoint, made, width);
    this.encode(hookPoint, plainStream(tensor), width);
    const edited = this.edits(hookPoint) ? this.edited(hookPoint, tensor, width) : tensor;
    this.offer(hookPoint, edited, width);
    return edited;
  }

  /** Gives out a tensor [B, S, width], if it is wanted, and what encoders find in it. */
  offer(hookPoint: string, tensor: string, width: number): void {
    this.encode(hookPoint, plainStream(tensor), width);
    this.giveOut(hookPoint, tensor, ['B', 'S', width]);
  }

  /** The same of a tensor [B, heads, S, K], K being `keyDimension`. */
  offerByKeys(hookPoint: string, tensor: string, heads: number): void {
    this.giveOut(hookPoint, tensor, ['B', heads, 'S', keyDimension]);
  }

  /**
   * Passes the two hook points of a norm, TransformerLens' `hook_scale` and `hook_normalized`: √(mean square + ε) of what it reads, centred
   * in a layer norm, and that divided by this, before gain and bias. Returns the norm's result: `made`, or what edits leave of it.
   */
  passNorm(
    name: string,
    { x, made, weights }: { readonly x: string; readonly made: string; readonly weights: NormWeights },
    { norm, normEpsilon, dModel }: ModelConfig,
  ): string {
    const names = { scale: `${name}.hook_scale`, normalised: `${name}.hook_normalized` };
    if (!this.wants(...Object.values(names))) return made;
    const { graph } = this;
    const mean = (part: string, of: string) =>
      graph.node(`${name}/${part}`, 'ReduceMean', [of, graph.integers([-1])], { attributes: { keepdims: 1 } });
    const centred = norm === 'rms' ? x : graph.node(`${name}/centred`, 'Sub', [x, mean('mean', x)]);
    const square = graph.node(`${name}/square`, 'Mul', [centred, centred]);
    const sum = graph.node(`${name}/sum`, 'Add', [mean('mean_square', square), graph.scalar(normEpsilon)]);
    const scale = graph.node(`${name}/root`, 'Sqrt', [sum]);
    this.offer(names.scale, scale, 1);
    if (!this.wants(names.normalised)) return made;
    const divided = graph.node(`${name}/divided`, 'Div', [centred, scale]);
    const passed = this.pass(names.normalised, divided, dModel);
    if (passed === divided) return made;
    const gained = graph.node(`${name}/gained`, 'Mul', [passed, weights.weight]);
    return weights.bias === null ? gained : graph.node(`${name}/shifted`, 'Add', [gained, weights.bias]);
  }

  /** Hook points that the variant should open and that the decoder never passed. */
  missing(): string[] {
    return [
      ...[...this.open.edits].filter((name) => !this.passed.edits.has(name)),
      ...[...this.open.taps].filter((name) => !this.passed.taps.has(name)),
      ...[...(this.open.replaced ?? [])].filter((name) => !this.passed.replaced.has(name)),
      ...[...(this.open.encoders ?? [])].filter((site) => !this.passed.encoders.has(site)).map(hookPointOfEncoder),
    ];
  }

  private giveOut(hookPoint: string, tensor: string, dimensions: readonly Dimension[]): void {
    if (!this.open.taps.has(hookPoint)) return;
    this.passed.taps.add(hookPoint);
    this.graph.node(`${hookPoint}/tap`, 'Identity', [tensor], { outputs: [ports.tap(hookPoint)] });
    this.graph.output(ports.tap(hookPoint), 'float32', dimensions);
  }

  private edited(hookPoint: string, x: string, width: number): string {
    const { graph } = this;
    if (this.operators === 'tiller') {
      return addEdit(graph, hookPoint, plainStream(x), width);
    }
    const port = addEditPort(graph, hookPoint, x, width);
    const edited = graph.node(hookPoint, 'Add', [x, port.delta]);
    port.readAfter(edited);
    return edited;
  }
}

function plainStream(value: string): EditedStream {
  return { value, pending: '', pendingScale: '' };
}
