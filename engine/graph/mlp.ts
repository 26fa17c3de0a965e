import type { ModelConfig, OperatorSet } from '../core/index.ts';
import { addActivation } from './activation.ts';
import { addGatedUnit } from './gated-unit.ts';
import type { LinearBuilder } from './linear.ts';
import type { OnnxGraph } from './onnx.ts';

export interface MlpInputs {
  readonly block: number;
  /** The normalised stream, [B, S, d_model]. */
  readonly x: string;
  readonly operators: OperatorSet;
}

/** activation(gate)·up, or activation(up) where there is no gate: the input of the MLP's last matrix, [B, S, MLP width]. */
export function addMlp(
  graph: OnnxGraph,
  linears: LinearBuilder,
  { mlpWidth, dModel, activation, biases, gatedMlp }: ModelConfig,
  { block, x, operators }: MlpInputs,
): string {
  const module = (name: string) => `model.layers.${block}.mlp.${name}_proj`;
  // silu's own operator takes gate and up unscaled.
  const mayLeaveScale = gatedMlp && activation === 'silu' && !biases.mlp;
  const linear = (name: string) => {
    const place = { name: `blocks.${block}.mlp.${name}`, x, module: module(name), width: dModel, out: mlpWidth };
    return linears.addSingle({ ...place, bias: biases.mlp, mayFlatten: true, mayLeaveScale });
  };
  const name = `blocks.${block}.mlp.post`;
  if (!gatedMlp) return addActivation(graph, name, linear('up'), activation);
  const gate = linear('gate');
  const up = linear('up');
  if (activation === 'silu') return addGatedUnit(graph, linears, { name, gate, up, reader: module('down'), operators });
  return graph.node(name, 'Mul', [addActivation(graph, `${name}/activation`, gate, activation), up]);
}
