import type { ModelConfig, OperatorSet } from '../core/index.ts';
import { addActivation } from './activation.ts';
import { addGatedUnit } from './gated-unit.ts';
import type { LinearBuilder } from './linear.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Sites } from './sites.ts';

export interface MlpInputs {
  readonly block: number;
  /** The normalised stream, [B, S, d_model]. */
  readonly x: string;
  readonly sites: Sites;
  readonly operators: OperatorSet;
}

/** activation(gate)·up, or activation(up) where there is no gate: the input of the MLP's last matrix, [B, S, MLP width]. */
export function addMlp(
  graph: OnnxGraph,
  linears: LinearBuilder,
  { mlpWidth, dModel, activation, biases, gatedMlp }: ModelConfig,
  { block, x, sites, operators }: MlpInputs,
): string {
  const module = (name: string) => `model.layers.${block}.mlp.${name}_proj`;
  const hook = (name: string) => `blocks.${block}.mlp.hook_${name}`;
  const tapped = sites.wants(hook('pre'), hook('pre_linear'), hook('post'));
  // silu's own operator takes gate and up unscaled.
  const mayLeaveScale = gatedMlp && activation === 'silu' && !biases.mlp && !tapped;
  const linear = (name: string, pre: string) => {
    const place = { name: `blocks.${block}.mlp.${name}`, x, module: module(name), width: dModel, out: mlpWidth };
    const made = linears.addSingle({ ...place, bias: biases.mlp, mayFlatten: !tapped, mayLeaveScale });
    return sites.pass(hook(pre), made, mlpWidth);
  };
  const activated = () => {
    const name = `blocks.${block}.mlp.post`;
    if (!gatedMlp) return addActivation(graph, name, linear('up', 'pre'), activation);
    const gate = linear('gate', 'pre');
    const up = linear('up', 'pre_linear');
    const reader = tapped ? null : module('down');
    if (activation === 'silu') return addGatedUnit(graph, linears, { name, gate, up, reader, operators });
    return graph.node(name, 'Mul', [addActivation(graph, `${name}/activation`, gate, activation), up]);
  };
  return sites.pass(hook('post'), activated(), mlpWidth);
}
