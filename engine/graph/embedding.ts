import type { ModelConfig } from '../core/index.ts';
import { ports } from './names.ts';
import type { OnnxGraph } from './onnx.ts';
import type { Positions } from './positions.ts';
import type { Sites } from './sites.ts';

/** What enters the stream, [B, S, d_model]: the tokens' vectors as the model scales them, and those of their positions, if it has any. */
export function addEmbedding(
  graph: OnnxGraph,
  { vocabularySize, dModel, embeddingScale, learnedPositions, contextLength }: ModelConfig,
  where: Positions,
  sites: Sites,
): { readonly embedded: string; readonly positions: string | null } {
  const matrix = graph.weight('model.embed_tokens.weight', [vocabularySize, dModel]);
  const rows = embeddingScale === 1 ? 'hook_embed' : 'hook_embed/rows';
  graph.node(rows, 'Gather', [matrix, ports.inputIds], { attributes: { axis: 0 } });
  if (embeddingScale !== 1) graph.node('hook_embed', 'Mul', [rows, graph.scalar(embeddingScale)]);
  sites.offer('hook_embed', 'hook_embed', dModel);
  if (!learnedPositions) return { embedded: 'hook_embed', positions: null };
  const vectors = graph.weight('model.embed_positions.weight', [contextLength, dModel]);
  const rowsOfPositions = graph.node('hook_pos_embed/rows', 'Gather', [vectors, where.each()], {
    attributes: { axis: 0 },
  });
  return { embedded: 'hook_embed', positions: sites.pass('hook_pos_embed', rowsOfPositions, dModel) };
}
