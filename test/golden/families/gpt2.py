"""GPT-2: LayerNorm with bias, learnt positions, fused c_attn stored [in, out], tanh GELU, tied head. Published in float32."""
import torch
import tiny_tokenizers
from family import Family, setting, subtle, without

CONTEXT, WIDTH = 48, 32


def published(name):
    return None if name == "lm_head.weight" else name.removeprefix("transformer.")


def extra(config):
    """Published files hold the causal mask of every block."""
    mask = torch.tril(torch.ones(CONTEXT, CONTEXT)).view(1, 1, CONTEXT, CONTEXT)
    return {f"h.{block}.attn.bias": mask.clone() for block in range(config["n_layer"])}


FAMILY = Family(
    config={
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 0, "embd_pdrop": 0.1,
        "eos_token_id": 0, "initializer_range": 0.02, "layer_norm_epsilon": 1e-5, "model_type": "gpt2", "n_ctx": CONTEXT, "n_embd": WIDTH,
        "n_head": 2, "n_layer": 2, "n_positions": CONTEXT, "resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1,
        "summary_proj_to_labels": True, "summary_type": "cls_index", "summary_use_proj": True,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}, "vocab_size": 288,
    },
    generation={"bos_token_id": 0, "eos_token_id": 0, "transformers_version": "4.26.0.dev0", "_from_model_config": True},
    tokenizer=tiny_tokenizers.gpt2,
    tokenizer_config={"add_prefix_space": False, "model_max_length": CONTEXT, "tokenizer_class": "GPT2Tokenizer",
                      "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
    dtype=torch.float32,
    window=None,
    features={
        "norm gains": without(("ln_1.weight", 1.0), ("ln_2.weight", 1.0), ("ln_f.weight", 1.0)),
        "norm biases": without(("ln_1.bias", 0.0), ("ln_2.bias", 0.0), ("ln_f.bias", 0.0)),
        "attention biases": without(("attn.c_attn.bias", 0.0), ("attn.c_proj.bias", 0.0)),
        "MLP biases": without(("mlp.c_fc.bias", 0.0), ("mlp.c_proj.bias", 0.0)),
        "learnt positions": without(("wpe.weight", 0.0)),
        "tanh GELU": setting(activation_function="relu"),
        "tanh GELU, not the exact one": subtle(setting(activation_function="gelu")),
    },
    gain=lambda name: 2.5 if "c_attn" in name else 2.0 if "c_fc" in name else 1.2,
    published=published, extra=extra, final_gain=0.4, seed=1,
)
