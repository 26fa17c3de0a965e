import { TillerError } from '../core/index.ts';

const top: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

const inBlock: Readonly<Record<string, string>> = {
  'attn_norm.weight': 'input_layernorm.weight',
  'attn_q.weight': 'self_attn.q_proj.weight',
  'attn_k.weight': 'self_attn.k_proj.weight',
  'attn_v.weight': 'self_attn.v_proj.weight',
  'attn_output.weight': 'self_attn.o_proj.weight',
  'ffn_norm.weight': 'post_attention_layernorm.weight',
  'ffn_gate.weight': 'mlp.gate_proj.weight',
  'ffn_up.weight': 'mlp.up_proj.weight',
  'ffn_down.weight': 'mlp.down_proj.weight',
};

/** Hugging Face's name of a llama tensor in a GGUF file (gguf-py/gguf/tensor_mapping.py). */
export function huggingFaceName(name: string): string {
  if (Object.hasOwn(top, name)) return top[name];
  const match = /^blk\.(\d{1,4})\.(.+)$/.exec(name);
  if (match && Object.hasOwn(inBlock, match[2])) return `model.layers.${Number(match[1])}.${inBlock[match[2]]}`;
  const why = name.startsWith('rope_freqs') ? ' It scales rotary frequencies (Llama 3.1 and later).' : '';
  throw new TillerError(
    'checkpoint_unsupported',
    `Tensor '${name}' is not one that this version understands in a llama GGUF file, and ignoring it would change the model.${why}`,
  );
}

/** Heads whose rows llama.cpp's converter interleaved: the query and key projections. */
export function interleavedHeads(name: string, heads: number, keyValueHeads: number): number | null {
  if (name.endsWith('.self_attn.q_proj.weight')) return heads;
  return name.endsWith('.self_attn.k_proj.weight') ? keyValueHeads : null;
}

/**
 * Where a row of such a tensor lies in the file. llama.cpp's converter (`permute` in convert_hf_to_gguf.py) stores row t·D/2 + j
 * of a head of D rows at 2·j + t, t in {0, 1}, for a rotary embedding that pairs neighbours. Hugging Face pairs halves.
 */
export function storedRow(row: number, headDim: number): number {
  const half = headDim / 2;
  const inHead = row % headDim;
  return row - inHead + 2 * (inHead % half) + (inHead < half ? 0 : 1);
}
