"""Gemma 3, text alone (as the 270M and 1B are published): Gemma 2's block without soft caps, with QK-norm of 1 + gain, a rotary base of its own in
local blocks, and one global block after several local ones."""
import torch
import tiny_tokenizers
from families.gemma2 import plain_gains, unscaled_embeddings
from family import Family, interleaved_rotary, on_model, regrouped, setting, subtle, without

WINDOW = 8
TOKENIZER_CONFIG = {
    "add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "clean_up_tokenization_spaces": False, "eos_token": "<eos>",
    "model_max_length": 64, "pad_token": "<pad>", "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer",
    "unk_token": "<unk>", "use_default_system_prompt": False,
}
FEATURES = {
    "norm gains": without(("layernorm.weight", 0.0), ("model.norm.weight", 0.0)),
    "QK-norm gains": without(("q_norm.weight", 0.0), ("k_norm.weight", 0.0)),
    "rotary in halves": interleaved_rotary(16),
    "grouped queries": regrouped(4, 2, 16),
}

FAMILY = Family(
    config={
        "architectures": ["Gemma3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "attn_logit_softcapping": None,
        "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": [1, 5], "final_logit_softcapping": None, "head_dim": 16,
        "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 64,
        "max_position_embeddings": 64, "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 3,
        "num_key_value_heads": 2, "pad_token_id": 0, "query_pre_attn_scalar": 24, "rms_norm_eps": 1e-6, "rope_local_base_freq": 10000,
        "rope_scaling": None, "rope_theta": 1000000, "sliding_window": WINDOW, "sliding_window_pattern": 3, "torch_dtype": "bfloat16",
        "transformers_version": "4.50.0.dev0", "use_cache": True, "vocab_size": 384,
    },
    generation={"bos_token_id": 2, "cache_implementation": "hybrid", "do_sample": True, "eos_token_id": [1, 5], "pad_token_id": 0,
                "top_k": 64, "top_p": 0.95, "transformers_version": "4.50.0.dev0"},
    tokenizer=tiny_tokenizers.gemma,
    tokenizer_config=TOKENIZER_CONFIG,
    dtype=torch.bfloat16,
    window=WINDOW,
    features={
        **FEATURES,
        "1 + gain": plain_gains,
        "QK-norm": on_model(lambda model: [setattr(layer.self_attn, name, torch.nn.Identity())
                                           for layer in model.model.layers for name in ("q_norm", "k_norm")]),
        "post-norms": on_model(lambda model: [setattr(layer, name, torch.nn.Identity()) for layer in model.model.layers
                                              for name in ("post_attention_layernorm", "post_feedforward_layernorm")]),
        "window": setting(sliding_window=64),
        "window, one wider": setting(sliding_window=WINDOW + 1),
        "window, one narrower": setting(sliding_window=WINDOW - 1),
        "which blocks are global": setting(sliding_window_pattern=2),
        "embedding scale": unscaled_embeddings,
        "query_pre_attn_scalar": setting(query_pre_attn_scalar=16),
        "rotary base of global blocks": setting(rope_theta=10000),
        "rotary base of local blocks": setting(rope_local_base_freq=1000000),
        "tanh GELU": setting(hidden_activation="silu"),
        "tanh GELU, not the exact one": subtle(setting(hidden_activation="gelu")),
    },
    gain=lambda name: 2.0 if "gate_proj" in name else 1.2,
    zero_centred_norms=True, final_gain=0.35, seed=6,
)
