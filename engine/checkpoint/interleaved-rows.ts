/** Heads whose rows llama.cpp's converter interleaved in a llama file: those of the query and key projections, biases included. */
export function interleavedHeads(
  name: string,
  { heads, keyValueHeads }: { readonly heads: number; readonly keyValueHeads: number },
): number | null {
  if (/\.self_attn\.q_proj\.(weight|bias)$/.test(name)) return heads;
  return /\.self_attn\.k_proj\.(weight|bias)$/.test(name) ? keyValueHeads : null;
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
