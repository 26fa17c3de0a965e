import type { ModelConfig } from '../core/index.ts';
import { ports } from './names.ts';
import { elementTypes, type OnnxGraph } from './onnx.ts';

/** What enters the stream, [B, S, d_model]: the tokens' vectors as the model scales them, and those of their positions, if it has any. */
export function addEmbedding(
  graph: OnnxGraph,
  { vocabularySize, dModel, embeddingScale, learnedPositions, contextLength }: ModelConfig,
): { readonly embedded: string; readonly positions: string | null } {
  const matrix = graph.weight('model.embed_tokens.weight', [vocabularySize, dModel]);
  const rows = embeddingScale === 1 ? 'hook_embed' : 'hook_embed/rows';
  graph.node(rows, 'Gather', [matrix, ports.inputIds], { attributes: { axis: 0 } });
  if (embeddingScale !== 1) graph.node('hook_embed', 'Mul', [rows, graph.scalar(embeddingScale)]);
  if (!learnedPositions) return { embedded: 'hook_embed', positions: null };
  const vectors = graph.weight('model.embed_positions.weight', [contextLength, dModel]);
  const where = addPositions(graph);
  const positions = graph.node('hook_pos_embed', 'Gather', [vectors, where], { attributes: { axis: 0 } });
  return { embedded: 'hook_embed', positions };
}

/** Each token's position in its row, int64 [B, S]: the last one's is an input, and the tokens of a step follow each other. */
function addPositions(graph: OnnxGraph): string {
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
