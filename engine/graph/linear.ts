import {
  blockWidth,
  int8TileShapes,
  type LinearForm,
  type TileForm,
  tileBits,
  tileShapes,
} from '../checkpoint/index.ts';
import type { OperatorSet } from '../core/index.ts';
import { linearArrays, ports } from './names.ts';
import type { OnnxGraph } from './onnx.ts';

/** Linear layers without bias that read the same input (checkpoint/linear-groups.ts). */
export interface LinearLayers {
  /** Name of the node, or prefix of the nodes. */
  readonly name: string;
  /** [B, S, width] */
  readonly x: string;
  readonly width: number;
  readonly group: string;
  /** Which tokens the rows of `x` are: all of the step's, or those that logits are wanted for. */
  readonly tokens: 'all' | 'chosen';
  /** The result may come as [B·S, out], where the form of the weights makes it so. */
  readonly mayFlatten?: boolean;
  /** The same, and `rowScale` may then name factors that its rows have still to be multiplied by. */
  readonly mayLeaveScale?: boolean;
  /** Each matrix [out, width] as the checkpoint names it. */
  readonly weights: readonly { readonly name: string; readonly weight: string; readonly out: number }[];
}

/** One matrix [out, width] that is a group by itself, and perhaps a bias. */
export interface SingleLinear extends Pick<LinearLayers, 'name' | 'x' | 'width' | 'mayFlatten' | 'mayLeaveScale'> {
  /** Its weights are `module.weight` and, with a bias, `module.bias`; `module` is the group's name. */
  readonly module: string;
  readonly out: number;
  readonly bias: boolean;
}

/** How the linear layers of a variant are computed. */
export interface LinearOptions {
  /** Groups that are stored in a form of their own; the others are read as float32. */
  readonly forms: ReadonlyMap<string, LinearForm>;
  /**
   * What products over blocks are computed in: `float32` rounds nothing; `int8` rounds the input to 8 bits, one scale a block of 32,
   * which is faster.
   */
  readonly blockInput: 'float32' | 'int8';
}

/** A tensor rounded to 8 bits, and the scale of each of its tokens: [.., width] and [.., 1], or in ONNX Runtime's operators [tokens, width] and [tokens, 1]. */
export interface Quantised {
  readonly quanta: string;
  readonly scale: string;
}

/**
 * Of quantised inputs: they are symmetric, but ONNX Runtime's fast kernels multiply unsigned bytes by signed ones (measured: signed by
 * signed is several times slower).
 */
const zeroPoint = 128;

/** MatMulNBits' accuracy levels. */
const accuracyLevels = { float32: 1, int8: 4 } as const;

/** Outputs of all matrices of a group. */
const outputsOf = (weights: LinearLayers['weights']) => weights.reduce((sum, { out }) => sum + out, 0);

/** Adds linear layers to a graph in the form their weights are stored in. */
export class LinearBuilder {
  private readonly graph: OnnxGraph;
  private readonly options: LinearOptions;
  private readonly operators: OperatorSet;
  /** x → its sums over blocks; x → its quanta and their scale: made once for all layers that read it. */
  private readonly blockSums = new Map<string, string>();
  private shape: string | null = null;
  /** Zero points for every token of a step, for all of its tokens and for those that logits are wanted for. */
  private readonly zeroPoints = new Map<LinearLayers['tokens'], string>();
  private readonly quantised = new Map<string, Quantised>();
  /** Results that were left unscaled, and their scales. */
  private readonly rowScales = new Map<string, string>();

  constructor(graph: OnnxGraph, options: LinearOptions, operators: OperatorSet) {
    this.graph = graph;
    this.options = options;
    this.operators = operators;
  }

  /** Whether whoever makes the input of this group should round it to 8 bits at once (`know`). */
  takesQuanta(group: string): boolean {
    const form = this.options.forms.get(group);
    return this.operators === 'tiller' && (form === 'int8' || form === 'int8tiles');
  }

  /** Says that `x` has been rounded already. */
  know(x: string, quantised: Quantised): void {
    this.quantised.set(x, quantised);
  }

  /** Factors [tokens, 1] of a result that was left unscaled; '' for one that was not. */
  rowScale(result: string): string {
    return this.rowScales.get(result) ?? '';
  }

  /** Says that a tensor has still to be multiplied by what another one has. */
  keepScale(tensor: string, like: string): void {
    const scale = this.rowScales.get(like);
    if (scale !== undefined) this.rowScales.set(tensor, scale);
  }

  /** x·Wᵀ of a group with one matrix, plus its bias where it has one. */
  addSingle({ module, out, bias, ...how }: SingleLinear): string {
    const { name } = how;
    const product = bias ? `${name}/product` : name;
    const weights = [{ name: product, weight: `${module}.weight`, out }];
    const mayLeaveScale = how.mayLeaveScale === true && !bias;
    const made = this.add({ ...how, name: product, mayLeaveScale, group: module, tokens: 'all', weights });
    return bias ? this.graph.node(name, 'Add', [made, this.graph.weight(`${module}.bias`, [out])]) : made;
  }

  /** x·Wᵀ of a group with one matrix, [B, S, out]. */
  add(layers: LinearLayers): string {
    return this.addPacked(layers)[0] as string;
  }

  /** x·Wᵀ: one output for each matrix of the group, or a single one with the outputs side by side, [B, S, Σ out]. */
  addPacked(layers: LinearLayers): readonly string[] {
    const form = this.options.forms.get(layers.group);
    if (form === undefined) return layers.weights.map((weight) => this.addDense(layers, weight));
    if (form === 'int8') return [this.addInt8(layers)];
    if (form === 'int8tiles') return [this.addInt8Tiles(layers)];
    return [form === 'blocks4' || form === 'blocks8' ? this.addBlocks(layers, form) : this.addTiles(layers, form)];
  }

  private addDense({ x, width }: LinearLayers, { name, weight, out }: LinearLayers['weights'][number]): string {
    return this.graph.node(name, 'FusedMatMul', [x, this.graph.weight(weight, [out, width])], {
      attributes: { transB: 1 },
      domain: 'com.microsoft',
    });
  }

  /**
   * Signed 8-bit weights with a scale an output channel, inputs quantised to 8 bits with a scale a token:
   *
   *     s_t = max|x_t| / 127 ;  q_t = round(x_t / s_t) + 128 ;  y_t = s_t · Σ_i (q_ti − 128)·w_i · scale
   *
   * Every token is rounded by itself, so what shares a batch does not change it (LLM.int8, Dettmers et al. 2022, calls it
   * vector-wise). Sums are exact in int32.
   */
  private addInt8(layers: LinearLayers): string {
    const { graph } = this;
    const { name, width, group, mayFlatten, mayLeaveScale, weights } = layers;
    const out = outputsOf(weights);
    const arrays = linearArrays(group);
    const values = graph.weight(arrays.values, [width, out], 'int8');
    const scales = graph.weight(arrays.scales, [out]);
    const { quanta, scale } = this.quantise(layers);
    const inputs = [quanta, values, graph.scalar(1), scales, graph.byte(zeroPoint)];
    const unscaled = mayLeaveScale === true && this.operators === 'tiller';
    const productName = unscaled ? name : `${name}/product`;
    const product = graph.node(productName, 'MatMulIntegerToFloat', inputs, { domain: 'com.microsoft' });
    if (unscaled) {
      this.rowScales.set(name, scale);
      return name;
    }
    if (mayFlatten || this.operators === 'tiller') return graph.node(name, 'Mul', [product, scale]);
    const scaled = graph.node(`${name}/flat`, 'Mul', [product, scale]);
    return graph.node(name, 'Reshape', [scaled, this.batchShape()]);
  }

  /** The same arithmetic by Tiller's own operator: engine/kernels/integer-product.cpp. */
  private addInt8Tiles(layers: LinearLayers): string {
    const { graph } = this;
    const { name, width, group, weights } = layers;
    const outputs = outputsOf(weights);
    const shapes = int8TileShapes(outputs, width);
    const arrays = linearArrays(group);
    const { quanta, scale } = this.quantise(layers);
    const tiles = graph.weight(arrays.tiles, shapes.tiles, 'uint8');
    const scales = graph.weight(arrays.scales, shapes.scales);
    const offsets = graph.weight(arrays.offsets, shapes.scales, 'int32');
    const attributes = { outputs };
    return graph.node(name, 'IntegerProduct', [quanta, scale, tiles, scales, offsets], {
      attributes,
      domain: 'tiller',
    });
  }

  /** [B, S, −1] */
  private batchShape(): string {
    const { graph } = this;
    this.shape ??= graph.node(
      'batch_shape',
      'Concat',
      [graph.node('batch_shape/tokens', 'Shape', [ports.inputIds]), graph.integers([-1])],
      { attributes: { axis: 0 } },
    );
    return this.shape;
  }

  private quantise(layers: LinearLayers): Quantised {
    const { x } = layers;
    const found = this.quantised.get(x);
    if (found) return found;
    const made = this.operators === 'tiller' ? this.quantiseAtOnce(x) : this.quantiseInSteps(layers);
    this.quantised.set(x, made);
    return made;
  }

  private quantiseAtOnce(x: string): Quantised {
    const made = { quanta: `${x}/quanta`, scale: `${x}/scale` };
    this.graph.node(made.quanta, 'Quantise', [x], { domain: 'tiller', outputs: [made.quanta, made.scale] });
    return made;
  }

  private quantiseInSteps({ x, width, tokens }: LinearLayers): Quantised {
    const { graph } = this;
    const rows = graph.node(`${x}/rows`, 'Reshape', [x, graph.integers([-1, width])]);
    const magnitude = graph.node(`${x}/magnitude`, 'Abs', [rows]);
    const largest = graph.node(`${x}/largest`, 'ReduceMax', [magnitude, graph.integers([1])], {
      attributes: { keepdims: 1 },
    });
    const scale = graph.node(`${x}/scale`, 'Mul', [largest, graph.scalar(1 / 127)]);
    const flat = graph.node(`${x}/scale_flat`, 'Reshape', [scale, graph.integers([-1])]);
    const zeros = this.zeroPoint(tokens, flat);
    const quanta = graph.node(`${x}/quanta`, 'QuantizeLinear', [rows, flat, zeros], { attributes: { axis: 0 } });
    return { quanta, scale };
  }

  /** 128 for every row of `like`, made once for all tensors with as many rows. */
  private zeroPoint(tokens: LinearLayers['tokens'], like: string): string {
    const found = this.zeroPoints.get(tokens);
    if (found !== undefined) return found;
    const { graph } = this;
    const shape = graph.node(`zero_points/${tokens}/shape`, 'Shape', [like]);
    const zeros = graph.node(`zero_points/${tokens}`, 'Expand', [graph.byte(zeroPoint), shape]);
    this.zeroPoints.set(tokens, zeros);
    return zeros;
  }

  /**
   * With w = scale·(q − zero) + offset in every block b of 32 (checkpoint/stored-linears.ts):
   *
   *     x·Wᵀ = Σ_b scale_b·Σ_{i∈b} (q_i − zero)·x_i  +  Σ_b offset_b·Σ_{i∈b} x_i
   *
   * The first sum is MatMulNBits; the second, where there are offsets, a small product with the sums of x over blocks. The weights
   * are exactly those that the dense form holds.
   */
  private addBlocks({ name, x, width, group, tokens, weights }: LinearLayers, form: 'blocks4' | 'blocks8'): string {
    const { graph } = this;
    const out = outputsOf(weights);
    const perRow = width / blockWidth;
    const arrays = linearArrays(group);
    const bits = form === 'blocks4' ? 4 : 8;
    const quants = graph.weight(arrays.quants, [out, perRow, (blockWidth * bits) / 8], 'uint8');
    const scales = graph.weight(arrays.scales, [out, perRow]);
    const accuracy = accuracyLevels[this.options.blockInput];
    const attributes = { K: width, N: out, bits, block_size: blockWidth, accuracy_level: accuracy };
    const scaledName = form === 'blocks4' ? `${name}/scaled` : name;
    const scaled = graph.node(scaledName, 'MatMulNBits', [x, quants, scales], { attributes, domain: 'com.microsoft' });
    if (form === 'blocks8') return scaled;
    const offsets = graph.weight(arrays.offsets, [out, perRow]);
    const shift = graph.node(`${name}/shift`, 'FusedMatMul', [this.sums(x, perRow, tokens), offsets], {
      attributes: { transB: 1 },
      domain: 'com.microsoft',
    });
    return graph.node(name, 'Add', [scaled, shift]);
  }

  /** Weights as the checkpoint holds them, in float32 arithmetic: engine/kernels/product.cpp. */
  private addTiles({ name, x, width, group, weights }: LinearLayers, form: TileForm): string {
    const { graph } = this;
    const outputs = outputsOf(weights);
    const bits = tileBits[form];
    const shapes = tileShapes(outputs, width, bits);
    const arrays = linearArrays(group);
    const inputs = [x, graph.weight(arrays.tiles, shapes.tiles, 'uint8')];
    if (form !== 'tiles16') inputs.push(graph.weight(arrays.scales, shapes.scales, 'float16'));
    if (form === 'tiles4m') inputs.push(graph.weight(arrays.minima, shapes.scales, 'float16'));
    return graph.node(name, 'Product', inputs, { attributes: { bits, outputs }, domain: 'tiller' });
  }

  private sums(x: string, perRow: number, tokens: LinearLayers['tokens']): string {
    const found = this.blockSums.get(x);
    if (found !== undefined) return found;
    // Tokens that logits are wanted for have one axis, not two.
    const shape = this.graph.integers([...(tokens === 'all' ? [0, 0] : [0]), perRow, blockWidth]);
    const blocks = this.graph.node(`${x}/blocks`, 'Reshape', [x, shape]);
    const sums = this.graph.node(`${x}/block_sums`, 'ReduceSum', [blocks, this.graph.integers([-1])], {
      attributes: { keepdims: 0 },
    });
    this.blockSums.set(x, sums);
    return sums;
  }
}
