import type { Activation } from '../core/index.ts';
import type { OnnxGraph } from './onnx.ts';

/** The activation of every element of x. */
export function addActivation(graph: OnnxGraph, name: string, x: string, activation: Activation): string {
  if (activation === 'relu') return graph.node(name, 'Relu', [x]);
  if (activation === 'silu') return graph.node(name, 'Mul', [x, graph.node(`${name}/sigmoid`, 'Sigmoid', [x])]);
  const approximate = activation === 'gelu_tanh' ? 'tanh' : 'none';
  return graph.node(name, 'Gelu', [x], { attributes: { approximate } });
}
