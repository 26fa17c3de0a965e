import type { ModelConfig, NormKind } from '../core/index.ts';

/**
 * Every weight of a decoder by the name under which graph and caches know it, with its shape. The names are those of transformers'
 * modeling_llama.py, whatever the family calls them (families/ says what that is); what Llama lacks is named in the same way:
 *
 * | name                                              | what                                                        |
 * |---------------------------------------------------|-------------------------------------------------------------|
 * | `model.embed_positions`                           | learned positions                                           |
 * | `…input_layernorm`, `…post_attention_layernorm`   | before attention, before the MLP                            |
 * | `…attention_output_layernorm`, `…mlp_output_layernorm` | after attention and MLP, before they are added to the stream |
 * | `…self_attn.q_norm`, `…k_norm`                    | of queries and keys, [head width]                           |
 *
 * A matrix is [out, in], a bias [out].
 */
export function decoderShapes(config: ModelConfig): Map<string, readonly number[]> {
  const { dModel, mlpWidth, vocabularySize, headDim, biases } = config;
  const queries = config.heads * headDim;
  const keys = config.keyValueHeads * headDim;
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [vocabularySize, dModel]]]);
  const linear = (name: string, out: number, width: number, bias: boolean) => {
    shapes.set(`${name}.weight`, [out, width]);
    if (bias) shapes.set(`${name}.bias`, [out]);
  };
  const norm = (name: string, kind: NormKind = config.norm, width = dModel) => {
    shapes.set(`${name}.weight`, [width]);
    if (kind === 'layer') shapes.set(`${name}.bias`, [width]);
  };
  if (config.learnedPositions) shapes.set('model.embed_positions.weight', [config.contextLength, dModel]);
  for (let block = 0; block < config.blocks; block++) {
    const at = (name: string) => `model.layers.${block}.${name}`;
    norm(at('input_layernorm'));
    linear(at('self_attn.q_proj'), queries, dModel, biases.queryKeyValue);
    linear(at('self_attn.k_proj'), keys, dModel, biases.queryKeyValue);
    linear(at('self_attn.v_proj'), keys, dModel, biases.queryKeyValue);
    if (config.queryKeyNorm) for (const part of ['q', 'k']) norm(at(`self_attn.${part}_norm`), 'rms', headDim);
    linear(at('self_attn.o_proj'), dModel, queries, biases.attentionOutput);
    if (config.outputNorms) norm(at('attention_output_layernorm'));
    norm(at('post_attention_layernorm'));
    if (config.gatedMlp) linear(at('mlp.gate_proj'), mlpWidth, dModel, biases.mlp);
    linear(at('mlp.up_proj'), mlpWidth, dModel, biases.mlp);
    linear(at('mlp.down_proj'), dModel, mlpWidth, biases.mlp);
    if (config.outputNorms) norm(at('mlp_output_layernorm'));
  }
  norm('model.norm');
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [vocabularySize, dModel]);
  return shapes;
}
