"""Qwen 3: RMSNorm of every query and key head before rotary, no biases, a head width that is not d_model / heads, tied head."""
import torch
import tiny_tokenizers
from family import Family, interleaved_rotary, on_model, regrouped, setting, without


@on_model
def norm_after_rotary(model):
    """QK-norm after rotary: the gains meet turned pairs."""
    import sys
    file = sys.modules[type(model.base_model).__module__]
    turn = file.apply_rotary_pos_emb
    for layer in model.base_model.layers:
        attention = layer.self_attn
        q_norm, k_norm = attention.q_norm, attention.k_norm
        attention.q_norm = attention.k_norm = torch.nn.Identity()

        def forward(*args, attention=attention, q_norm=q_norm, k_norm=k_norm, original=attention.forward, **kwargs):
            def turned(q, k, *rest, **more):
                q, k = turn(q, k, *rest, **more)
                return q_norm(q), k_norm(k)
            file.apply_rotary_pos_emb = turned
            try:
                return original(*args, **kwargs)
            finally:
                file.apply_rotary_pos_emb = turn
        attention.forward = forward


FAMILY = Family(
    config={
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 285, "eos_token_id": 287,
        "head_dim": 32, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 64,
        "max_position_embeddings": 64, "max_window_layers": 2, "model_type": "qwen3", "num_attention_heads": 4, "num_hidden_layers": 2,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": True,
        "use_sliding_window": False, "vocab_size": 288,
    },
    generation={"bos_token_id": 285, "do_sample": True, "eos_token_id": [287, 285], "pad_token_id": 285, "temperature": 0.6, "top_k": 20,
                "top_p": 0.95, "transformers_version": "4.51.0"},
    tokenizer=tiny_tokenizers.qwen,
    tokenizer_config={"add_bos_token": False, "add_prefix_space": False, "bos_token": None, "clean_up_tokenization_spaces": False,
                      "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 64, "pad_token": "<|endoftext|>",
                      "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None},
    dtype=torch.bfloat16,
    window=None,
    features={
        "norm gains": without(("layernorm.weight", 1.0), ("model.norm.weight", 1.0)),
        "QK-norm gains": without(("q_norm.weight", 1.0), ("k_norm.weight", 1.0)),
        "QK-norm": on_model(lambda model: [setattr(layer.self_attn, name, torch.nn.Identity())
                                           for layer in model.model.layers for name in ("q_norm", "k_norm")]),
        "QK-norm before rotary": norm_after_rotary,
        "rotary base": setting(rope_theta=10000),
        "rotary in halves": interleaved_rotary(32),
        "grouped queries": regrouped(4, 2, 32),
    },
    gain=lambda name: 1.2,
    final_gain=0.35, seed=4,
)
