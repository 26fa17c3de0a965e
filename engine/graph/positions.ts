import { ports } from './names.ts';
import { elementTypes, type OnnxGraph } from './onnx.ts';

/** Each token's position in its row, computed once for all who want it. */
export class Positions {
  private readonly graph: OnnxGraph;
  private made: string | null = null;

  constructor(graph: OnnxGraph) {
    this.graph = graph;
  }

  /** int64 [B, S]. The last token's is an input, and the tokens of a step follow each other. */
  each(): string {
    this.made ??= this.add();
    return this.made;
  }

  private add(): string {
    const { graph } = this;
    const at = (name: string) => `positions/${name}`;
    const shape = graph.node(at('shape'), 'Shape', [ports.inputIds], { attributes: { start: 1, end: 2 } });
    const count = graph.node(at('count'), 'Squeeze', [shape]);
    const zero = graph.node(at('zero'), 'Squeeze', [graph.integers([0])]);
    const one = graph.node(at('one'), 'Squeeze', [graph.integers([1])]);
    const steps = graph.node(at('steps'), 'Range', [zero, count, one]);
    const back = graph.node(at('back'), 'Sub', [one, count]);
    const last = graph.node(at('last'), 'Cast', [ports.lastPositions], { attributes: { to: elementTypes.int64 } });
    const column = graph.node(at('column'), 'Unsqueeze', [last, graph.integers([1])]);
    const first = graph.node(at('first'), 'Add', [column, back]);
    return graph.node('positions', 'Add', [first, steps]);
  }
}
