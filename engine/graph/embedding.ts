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
  const rows = graph.node('hook_embed/rows', 'Gather', [matrix, ports.inputIds], { attributes: { axis: 0 } });
  const scaled =
    embeddingScale === 1 ? rows : graph.node('hook_embed/scaled', 'Mul', [rows, graph.scalar(embeddingScale)]);
  const embedded = sites.pass('hook_embed', scaled, dModel);
  if (!learnedPositions) return { embedded, positions: null };
  const vectors = graph.weight('model.embed_positions.weight', [contextLength, dModel]);
  const rowsOfPositions = graph.node('hook_pos_embed/rows', 'Gather', [vectors, where.each()], {
    attributes: { axis: 0 },
  });
  return { embedded, positions: sites.pass('hook_pos_embed', rowsOfPositions, dModel) };
}
