import { type ModelConfig, TillerError } from '../core/index.ts';
import { elementCount, type StoredTensor } from './tensor.ts';

/** Every weight of the llama family, under Hugging Face's names (transformers' modeling_llama.py), with its shape. */
export function llamaShapes(config: ModelConfig): Map<string, readonly number[]> {
  const { dModel, mlpWidth } = config;
  const queries = config.heads * config.headDim;
  const keys = config.keyValueHeads * config.headDim;
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [config.vocabularySize, dModel]]]);
  for (let block = 0; block < config.blocks; block++) {
    const prefix = `model.layers.${block}`;
    shapes.set(`${prefix}.input_layernorm.weight`, [dModel]);
    shapes.set(`${prefix}.self_attn.q_proj.weight`, [queries, dModel]);
    shapes.set(`${prefix}.self_attn.k_proj.weight`, [keys, dModel]);
    shapes.set(`${prefix}.self_attn.v_proj.weight`, [keys, dModel]);
    shapes.set(`${prefix}.self_attn.o_proj.weight`, [dModel, queries]);
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [dModel]);
    shapes.set(`${prefix}.mlp.gate_proj.weight`, [mlpWidth, dModel]);
    shapes.set(`${prefix}.mlp.up_proj.weight`, [mlpWidth, dModel]);
    shapes.set(`${prefix}.mlp.down_proj.weight`, [dModel, mlpWidth]);
  }
  shapes.set('model.norm.weight', [dModel]);
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [config.vocabularySize, dModel]);
  return shapes;
}

/**
 * The family's weights out of a file's tensors, in the family's order. Missing and misshapen ones are `checkpoint_invalid`; ones that
 * the family has no place for are `checkpoint_unsupported`, for a model that ignored them would not be the model.
 */
export function selectLlamaTensors(
  path: string,
  config: ModelConfig,
  found: ReadonlyMap<string, StoredTensor>,
): Map<string, StoredTensor> {
  const shapes = llamaShapes(config);
  const selected = new Map<string, StoredTensor>();
  for (const [name, shape] of shapes) {
    const tensor = found.get(name);
    if (tensor === undefined) throw new TillerError('checkpoint_invalid', `${path} lacks tensor '${name}'.`);
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, axis) => size !== shape[axis])) {
      throw new TillerError(
        'checkpoint_invalid',
        `${path}: tensor '${name}' has the shape [${tensor.shape.join(', ')}], the configuration wants [${shape.join(', ')}].`,
      );
    }
    selected.set(name, tensor);
  }
  for (const [name, tensor] of found) {
    if (!shapes.has(name) && !isHarmless(name, config)) {
      throw new TillerError(
        'checkpoint_unsupported',
        `${path}: tensor '${name}' (${elementCount(tensor.shape)} weights) has no place in the llama family, and ignoring it would change the model.`,
      );
    }
  }
  return selected;
}

/** What transformers leaves unused too: the second copy of a tied embedding, and rotary tables that follow from the configuration. */
function isHarmless(name: string, config: ModelConfig): boolean {
  if (name === 'lm_head.weight') return config.tiedEmbeddings;
  return /^model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$/.test(name);
}
