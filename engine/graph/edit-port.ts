import { editParameterOrder } from '../steering/index.ts';
import { editPorts } from './names.ts';
import type { OnnxGraph } from './onnx.ts';

/** What the stream's builder needs to go on: the change to add, and where to hang the second reading. */
export interface EditPort {
  /** Σ_k g·u_k·write_k, [B, S, d_model]. */
  readonly delta: string;
  /** Adds the reading of the stream after the edits; call it once with the edited stream's name. */
  readAfter(edited: string): void;
}

/**
 * The graph form of engine/steering/reference.ts at one hook point, for every row b, token t and edit k:
 *
 *     a = x·read_k + bias_k ;  f = a if a > threshold_k else 0 ;  u = clip(beta_k + gamma_k·f, low_k, high_k)
 *     g = mask · (a > activeAbove_k) · (‖x‖ ≤ sinkNorm_k) ;  delta = Σ_k g·u·write_k
 *
 * K differs from step to step; rows with fewer edits are padded with edits whose mask is zero. The readings go out so that
 * the answer can say what was done.
 */
export function addEditPort(graph: OnnxGraph, hookPoint: string, stream: string, dModel: number): EditPort {
  const port = editPorts(hookPoint);
  const at = (name: string) => `edit.${hookPoint}/${name}`;
  // K has a name of its own at each hook point: edits there are counted apart.
  const count = `edits.${hookPoint}`;
  graph.input(port.read, 'float32', ['B', count, dModel]);
  graph.input(port.write, 'float32', ['B', count, dModel]);
  graph.input(port.parameters, 'float32', ['B', editParameterOrder.length, count]);
  graph.input(port.mask, 'float32', ['B', 'S', count]);
  for (const name of ['gate', 'coefficient', 'readingBefore', 'readingAfter'] as const) {
    graph.output(port[name], 'float32', ['B', 'S', count]);
  }
  graph.output(port.streamNorm, 'float32', ['B', 'S', 1]);

  graph.node(at('split'), 'Split', [port.parameters], {
    attributes: { axis: 1, num_outputs: editParameterOrder.length },
    outputs: editParameterOrder.map(at),
  });
  const read = (name: string, from: string, output: string) => {
    const dot = graph.node(at(`${name}_dot`), 'FusedMatMul', [from, port.read], {
      attributes: { transB: 1 },
      domain: 'com.microsoft',
    });
    return graph.node(at(name), 'Add', [dot, at('bias')], { outputs: [output] });
  };
  const reading = read('read_before', stream, port.readingBefore);
  const fires = graph.node(at('fires'), 'Greater', [reading, at('threshold')]);
  const activation = graph.node(at('activation'), 'Where', [fires, reading, graph.scalar(0)]);
  const scaled = graph.node(at('scaled'), 'Mul', [at('gamma'), activation]);
  const unclipped = graph.node(at('unclipped'), 'Add', [at('beta'), scaled]);
  const raised = graph.node(at('raised'), 'Max', [unclipped, at('low')]);
  graph.node(at('clip'), 'Min', [raised, at('high')], { outputs: [port.coefficient] });

  graph.node(at('norm'), 'ReduceL2', [stream, graph.integers([-1])], {
    attributes: { keepdims: 1 },
    outputs: [port.streamNorm],
  });
  const active = graph.node(at('active'), 'Greater', [reading, at('activeAbove')]);
  const calm = graph.node(at('calm'), 'LessOrEqual', [port.streamNorm, at('sinkNorm')]);
  const both = graph.node(at('both'), 'And', [active, calm]);
  graph.node(at('gated'), 'Where', [both, port.mask, graph.scalar(0)], { outputs: [port.gate] });
  const applied = graph.node(at('applied'), 'Mul', [port.coefficient, port.gate]);
  const delta = graph.node(at('delta'), 'MatMul', [applied, port.write]);
  return { delta, readAfter: (edited) => void read('read_after', edited, port.readingAfter) };
}
