"""A Llama with biases of all its linear layers (`attention_bias`, `mlp_bias`), as variants of it have and no published Llama does; separate head."""
import torch
import small_llama
from family import Family, interleaved_rotary, regrouped, setting, without

FAMILY = Family(
    config=small_llama.config(attention_bias=True, mlp_bias=True, tie_word_embeddings=False),
    generation=small_llama.GENERATION,
    tokenizer=small_llama.TOKENIZER,
    tokenizer_config=small_llama.TOKENIZER_CONFIG,
    dtype=torch.bfloat16,
    window=None,
    features={
        "norm gains": without(("norm.weight", 1.0)),
        "biases of q": without(("q_proj.bias", 0.0)),
        "biases of v": without(("v_proj.bias", 0.0)),
        "biases of o": without(("o_proj.bias", 0.0)),
        "biases of gate": without(("gate_proj.bias", 0.0)),
        "biases of up": without(("up_proj.bias", 0.0)),
        "biases of down": without(("down_proj.bias", 0.0)),
        "rotary base": setting(rope_theta=500000.0),
        "rotary in halves": interleaved_rotary(16),
        "grouped queries": regrouped(4, 2, 16),
    },
    gain=small_llama.gain,
    final_gain=0.35, seed=11,
)
