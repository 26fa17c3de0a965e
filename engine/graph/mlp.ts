import type { ModelConfig, OperatorSet } from '../core/index.ts';
import { addActivation } from './activation.ts';
import { addGatedUnit } from './gated-unit.ts';
import type { LinearBuilder } from './linear.ts';
import type { OnnxGraph } from './onnx.ts';
import { separate } from './projections.ts';
import type { Sites } from './sites.ts';

export interface MlpInputs {
  readonly block: number;
  /** The normalised stream, [B, S, d_model]. */
  readonly x: string;
  readonly sites: Sites;
  readonly operators: OperatorSet;
}

/** The group of linear layers (checkpoint/linear-groups.ts) that reads what enters a block's MLP. */
export function mlpEntryGroup({ gatedMlp }: ModelConfig, block: number): string {
  return `model.layers.${block}.mlp.${gatedMlp ? 'gate_up' : 'up'}_proj`;
}

/** activation(gate)·up, or activation(up) where there is no gate: the input of the MLP's last matrix, [B, S, MLP width]. */
export function addMlp(
  graph: OnnxGraph,
  linears: LinearBuilder,
  config: ModelConfig,
  { block, x, sites, operators }: MlpInputs,
): string {
  const { mlpWidth, dModel, activation, biases, gatedMlp } = config;
  const at = (name: string) => `blocks.${block}.mlp.${name}`;
  const module = (name: string) => `model.layers.${block}.mlp.${name}_proj`;
  const tapped = sites.wants(at('hook_pre'), at('hook_pre_linear'), at('hook_post'));
  // silu's own operator takes gate and up unscaled and side by side.
  const atOnce = operators === 'tiller' && gatedMlp && activation === 'silu' && !biases.mlp && !tapped;
  const names = gatedMlp ? ['gate', 'up'] : ['up'];
  const parts = names.map((name) => ({ name: at(name), weight: `${module(name)}.weight`, out: mlpWidth }));
  const products = linears.addPacked({
    name: gatedMlp ? at('gate_up') : at('up/product'),
    x,
    width: dModel,
    group: mlpEntryGroup(config, block),
    tokens: 'all',
    mayFlatten: !tapped && !biases.mlp,
    mayLeaveScale: atOnce,
    weights: biases.mlp ? parts.map((one) => ({ ...one, name: `${one.name}/product` })) : parts,
  });
  const post = at('post');
  if (atOnce) return addGatedUnit(graph, linears, { name: post, products, reader: module('down'), operators });
  const separated = gatedMlp || biases.mlp ? separate(graph, products, parts, biases.mlp) : products;
  const pass = (name: string, made = '') => sites.pass(at(name), made, mlpWidth);
  const first = pass('hook_pre', separated[0]);
  if (!gatedMlp) return pass('hook_post', addActivation(graph, post, first, activation));
  const up = pass('hook_pre_linear', separated[1]);
  if (activation === 'silu') {
    const reader = tapped ? null : module('down');
    return pass('hook_post', addGatedUnit(graph, linears, { name: post, products: [first, up], reader, operators }));
  }
  return pass(
    'hook_post',
    graph.node(post, 'Mul', [addActivation(graph, `${post}/activation`, first, activation), up]),
  );
}
