"""Gemma 2: RMSNorm with 1 + gain before and after attention and MLP, soft caps on scores and logits, local blocks in turn with global ones,
embeddings scaled by sqrt(d_model), query_pre_attn_scalar, tanh GELU gate, tied head. The base models are published in float32, the others in
bfloat16; this one is in bfloat16."""
import torch
import tiny_tokenizers
from family import Family, interleaved_rotary, on_model, regrouped, setting, subtle, without

WINDOW = 8


@on_model
def plain_gains(model):
    """RMSNorm multiplies by the gain instead of by 1 + gain."""
    for module in model.modules():
        if "RMSNorm" in type(module).__name__:
            module.weight.data -= 1


@on_model
def unscaled_embeddings(model):
    model.base_model.embed_tokens.embed_scale.fill_(1.0)


FAMILY = Family(
    config={
        "architectures": ["Gemma2ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "attn_logit_softcapping": 4.0,
        "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1, "final_logit_softcapping": 6.0, "head_dim": 16,
        "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 32, "initializer_range": 0.02,
        "intermediate_size": 64, "max_position_embeddings": 64, "model_type": "gemma2", "num_attention_heads": 4, "num_hidden_layers": 2,
        "num_key_value_heads": 2, "pad_token_id": 0, "query_pre_attn_scalar": 24, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "sliding_window": WINDOW, "torch_dtype": "bfloat16", "transformers_version": "4.42.4", "use_cache": True, "vocab_size": 384,
    },
    generation={"_from_model_config": True, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1, "pad_token_id": 0,
                "transformers_version": "4.42.4"},
    tokenizer=tiny_tokenizers.gemma,
    tokenizer_config={"add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "clean_up_tokenization_spaces": False,
                      "eos_token": "<eos>", "model_max_length": 64, "pad_token": "<pad>", "spaces_between_special_tokens": False,
                      "tokenizer_class": "GemmaTokenizer", "unk_token": "<unk>", "use_default_system_prompt": False},
    dtype=torch.bfloat16,
    window=WINDOW,
    features={
        "norm gains": without(("norm.weight", 0.0)),
        "1 + gain": plain_gains,
        "post-norms": on_model(lambda model: [setattr(layer, name, torch.nn.Identity()) for layer in model.model.layers
                                              for name in ("post_attention_layernorm", "post_feedforward_layernorm")]),
        "soft cap of scores": setting(attn_logit_softcapping=None),
        "soft cap of logits": setting(final_logit_softcapping=None),
        "window": setting(sliding_window=64),
        "window, one wider": setting(sliding_window=WINDOW + 1),
        "window, one narrower": setting(sliding_window=WINDOW - 1),
        "local blocks come first": setting(layer_types=["full_attention", "sliding_attention"]),
        "embedding scale": unscaled_embeddings,
        "query_pre_attn_scalar": setting(query_pre_attn_scalar=16),
        "rotary base": setting(rope_theta=1000000.0),
        "rotary in halves": interleaved_rotary(16),
        "grouped queries": regrouped(4, 2, 16),
        "tanh GELU": setting(hidden_activation="silu", hidden_act="silu"),
        "tanh GELU, not the exact one": subtle(setting(hidden_activation="gelu", hidden_act="gelu")),
    },
    gain=lambda name: 3.0 if "q_proj" in name or "k_proj" in name else 2.0 if "gate_proj" in name else 1.2,
    zero_centred_norms=True, final_gain=0.5, seed=5,
)
