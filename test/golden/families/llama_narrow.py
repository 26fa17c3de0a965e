"""A Llama whose heads are 20 wide: no multiple of the 16 that attentions take at once (OpenLLaMA 3B has 100)."""
import torch
import small_llama
from family import Family, interleaved_rotary, regrouped, setting, without

FAMILY = Family(
    config=small_llama.config(head_dim=20),
    generation=small_llama.GENERATION,
    tokenizer=small_llama.TOKENIZER,
    tokenizer_config=small_llama.TOKENIZER_CONFIG,
    dtype=torch.bfloat16,
    window=None,
    features={
        "norm gains": without(("norm.weight", 1.0)),
        "rotary base": setting(rope_theta=500000.0),
        "rotary in halves": interleaved_rotary(20),
        "grouped queries": regrouped(4, 2, 20),
    },
    gain=small_llama.gain,
    final_gain=0.35, seed=12,
)
