import { blockWidth } from '../checkpoint/index.ts';
import { fourBitWeights } from './names.ts';
import type { OnnxGraph } from './onnx.ts';

/** A linear layer without bias: `name` of its node, `x` [B, S, width], `weight` [out, width] as the checkpoint names it. */
export interface LinearLayer {
  readonly name: string;
  readonly x: string;
  readonly weight: string;
  readonly out: number;
  readonly width: number;
}

/** Adds linear layers in float32: over the weights as float32, or over the checkpoint's own four-bit blocks. */
export class LinearLayers {
  private readonly graph: OnnxGraph;
  /** Weights to be read as blocks. */
  private readonly fourBit: ReadonlySet<string>;
  /** x → its sums over blocks, for all layers that read it. */
  private readonly blockSums = new Map<string, string>();

  constructor(graph: OnnxGraph, fourBit: ReadonlySet<string>) {
    this.graph = graph;
    this.fourBit = fourBit;
  }

  /** Returns the name of x·Wᵀ, [B, S, out]. */
  add(layer: LinearLayer): string {
    return this.fourBit.has(layer.weight) ? this.addFourBit(layer) : this.addDense(layer);
  }

  private addDense({ name, x, weight, out, width }: LinearLayer): string {
    return this.graph.node(name, 'FusedMatMul', [x, this.graph.weight(weight, [out, width])], {
      attributes: { transB: 1 },
      domain: 'com.microsoft',
    });
  }

  /**
   * With w = scale·(q − 8) + offset in every block b of 32 (engine/checkpoint/four-bit-blocks.ts):
   *
   *     x·Wᵀ = Σ_b scale_b·Σ_{i∈b} (q_i − 8)·x_i  +  Σ_b offset_b·Σ_{i∈b} x_i
   *
   * The first sum is MatMulNBits, whose blocks become float32 in registers (accuracy level 1: nothing else is rounded); the
   * second a small product with the sums of x over blocks. The weights are exactly those that the dense form holds.
   */
  private addFourBit({ name, x, weight, out, width }: LinearLayer): string {
    const { graph } = this;
    const perRow = width / blockWidth;
    const blocks = fourBitWeights(weight);
    const quants = graph.weight(blocks.quants, [out, perRow, blockWidth / 2], 'uint8');
    const scales = graph.weight(blocks.scales, [out, perRow]);
    const scaled = graph.node(`${name}/scaled`, 'MatMulNBits', [x, quants, scales], {
      attributes: { K: width, N: out, bits: 4, block_size: blockWidth, accuracy_level: 1 },
      domain: 'com.microsoft',
    });
    const offsets = graph.weight(blocks.offsets, [out, perRow]);
    const shift = graph.node(`${name}/shift`, 'FusedMatMul', [this.sums(x, perRow), offsets], {
      attributes: { transB: 1 },
      domain: 'com.microsoft',
    });
    return graph.node(name, 'Add', [scaled, shift]);
  }

  private sums(x: string, perRow: number): string {
    const found = this.blockSums.get(x);
    if (found !== undefined) return found;
    const blocks = this.graph.node(`${x}/blocks`, 'Reshape', [x, this.graph.integers([0, 0, perRow, blockWidth])]);
    const sums = this.graph.node(`${x}/block_sums`, 'ReduceSum', [blocks, this.graph.integers([-1])], {
      attributes: { keepdims: 0 },
    });
    this.blockSums.set(x, sums);
    return sums;
  }
}
