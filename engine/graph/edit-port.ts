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
 * The graph form of engine/steering/reference.ts at one hook point, for every row b, token t and slot k:
 *
 *     a = x·read_k + bias_k ;  f = a if a > threshold_k else 0 ;  u = clip(beta_k + gamma_k·f, low_k, high_k)
 *     g = mask and a > activeAbove_k and ‖x‖ ≤ sinkNorm_k ;  delta = Σ_k (u if g else 0)·write_k
 *
 * Slots stand in G groups of K: one group that all rows read, or one for each row (steering/edit-layout.ts). Both differ
 * from step to step, and K may be 0: a hook point that is open and not used costs its few small nodes. What a slot that the
 * mask does not name computes is never multiplied into the stream, whatever it is: rows that share slots do not touch each
 * other. The readings go out so that the answer can say what was done.
 */
export function addEditPort(graph: OnnxGraph, hookPoint: string, stream: string, dModel: number): EditPort {
  const port = declareEditPort(graph, hookPoint, dModel);
  const at = (name: string) => `edit.${hookPoint}/${name}`;
  const { bias, threshold, beta, gamma, low, high, activeAbove, sinkNorm } = port.parameters;
  const read = (name: string, from: string, output: string) => {
    const dot = graph.node(at(`${name}_dot`), 'FusedMatMul', [from, port.read], {
      attributes: { transB: 1 },
      domain: 'com.microsoft',
    });
    return graph.node(at(name), 'Add', [dot, bias], { outputs: [output] });
  };
  const reading = read('read_before', stream, port.readingBefore);
  const fires = graph.node(at('fires'), 'Greater', [reading, threshold]);
  const activation = graph.node(at('activation'), 'Where', [fires, reading, graph.scalar(0)]);
  const scaled = graph.node(at('scaled'), 'Mul', [gamma, activation]);
  const unclipped = graph.node(at('unclipped'), 'Add', [beta, scaled]);
  const raised = graph.node(at('raised'), 'Max', [unclipped, low]);
  graph.node(at('clip'), 'Min', [raised, high], { outputs: [port.coefficient] });

  graph.node(at('norm'), 'ReduceL2', [stream, graph.integers([-1])], {
    attributes: { keepdims: 1 },
    outputs: [port.streamNorm],
  });
  const active = graph.node(at('active'), 'Greater', [reading, activeAbove]);
  const calm = graph.node(at('calm'), 'LessOrEqual', [port.streamNorm, sinkNorm]);
  const both = graph.node(at('both'), 'And', [active, calm]);
  graph.node(at('gated'), 'And', [both, port.mask], { outputs: [port.gate] });
  const applied = graph.node(at('applied'), 'Where', [port.gate, port.coefficient, graph.scalar(0)]);
  const delta = graph.node(at('delta'), 'MatMul', [applied, port.write]);
  return { delta, readAfter: (edited) => void read('read_after', edited, port.readingAfter) };
}

/** The stream that a hook point's edits are applied to: its value, and what is added to it before. */
export interface EditedStream {
  readonly value: string;
  /** '' when there is nothing to add. */
  readonly pending: string;
  /** Factors of each token of `pending`; '' without. */
  readonly pendingScale: string;
}

/** The same by Tiller's own operator (engine/kernels/edit.cpp). Returns the edited stream, which bears the hook point's name. */
export function addEdit(graph: OnnxGraph, hookPoint: string, stream: EditedStream, dModel: number): string {
  const port = declareEditPort(graph, hookPoint, dModel);
  const { value, pending, pendingScale } = stream;
  const { bias, threshold, beta, gamma, low, high, activeAbove, sinkNorm } = port.parameters;
  const parameters = [bias, threshold, beta, gamma, low, high, activeAbove, sinkNorm];
  const inputs = [value, pending, pendingScale, port.read, port.write, ...parameters, port.mask];
  const readings = [port.gate, port.coefficient, port.readingBefore, port.readingAfter, port.streamNorm];
  return graph.node(`edit.${hookPoint}`, 'Edit', inputs, { domain: 'tiller', outputs: [hookPoint, ...readings] });
}

function declareEditPort(graph: OnnxGraph, hookPoint: string, dModel: number) {
  const port = editPorts(hookPoint);
  // Sizes have names of their own at each hook point: edits there are counted apart.
  const { groups, width } = port.sizes;
  graph.input(port.read, 'float32', [groups, width, dModel]);
  graph.input(port.write, 'float32', [groups, width, dModel]);
  for (const name of Object.values(port.parameters)) graph.input(name, 'float32', [groups, 1, width]);
  graph.input(port.mask, 'bool', ['B', 'S', width]);
  graph.output(port.gate, 'bool', ['B', 'S', width]);
  for (const name of ['coefficient', 'readingBefore', 'readingAfter'] as const) {
    graph.output(port[name], 'float32', ['B', 'S', width]);
  }
  graph.output(port.streamNorm, 'float32', ['B', 'S', 1]);
  return port;
}
