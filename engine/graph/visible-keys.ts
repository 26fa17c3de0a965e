import { ports } from './names.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Positions } from './positions.ts';

/** Which keys each token may see, computed once for all blocks that look back as far; nothing of it is in a graph that does not ask. */
export class VisibleKeys {
  private readonly graph: OnnxGraph;
  private readonly positions: Positions;
  /** How many there are, as the graph's input; the columns of their positions, and the rows of the tokens'. */
  private count: string | null = null;
  private ends: { readonly keys: string; readonly tokens: string } | null = null;
  private readonly made = new Map<number | null, string>();

  constructor(graph: OnnxGraph, positions: Positions) {
    this.graph = graph;
    this.positions = positions;
  }

  /** int64 [1]: how many keys of each row are looked at, K. */
  number(): string {
    this.count ??= this.graph.input(ports.keyCount, 'int64', [1]);
    return this.count;
  }

  /** bool [B, 1, S, K]: a token sees itself and what came before it; with a window so many keys, its own among them. */
  mask(window: number | null): string {
    const found = this.made.get(window);
    if (found !== undefined) return found;
    const { graph } = this;
    const { keys, tokens } = this.sides();
    const name = window === null ? 'visible_keys' : `visible_keys.${window}`;
    const past = window === null ? name : `${name}/past`;
    graph.node(past, 'LessOrEqual', [keys, tokens]);
    if (window !== null) {
      const oldest = graph.node(`${name}/oldest`, 'Sub', [tokens, graph.integers([window])]);
      const near = graph.node(`${name}/near`, 'Greater', [keys, oldest]);
      graph.node(name, 'And', [past, near]);
    }
    this.made.set(window, name);
    return name;
  }

  private sides() {
    const { graph } = this;
    this.ends ??= {
      keys: graph.node('visible_keys/keys', 'Range', [
        graph.node('visible_keys/first', 'Squeeze', [graph.integers([0])]),
        graph.node('visible_keys/count', 'Squeeze', [this.number()]),
        graph.node('visible_keys/step', 'Squeeze', [graph.integers([1])]),
      ]),
      tokens: graph.node('visible_keys/tokens', 'Unsqueeze', [this.positions.each(), graph.integers([1, 3])]),
    };
    return this.ends;
  }
}
