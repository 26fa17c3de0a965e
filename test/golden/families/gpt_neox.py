"""GPT-NeoX (Pythia): parallel residual, rotary on a quarter of each head, fused query_key_value head by head, exact GELU, separate head."""
import torch
import tiny_tokenizers
from family import Family, on_model, setting, subtle, without

CONTEXT, WIDTH, HEADS, BASE = 48, 32, 2, 10000
ROTARY = WIDTH // HEADS // 4


def extra(config):
    """Pythia's files hold each block's causal mask, the value behind it and the rotary frequencies."""
    tensors = {}
    for block in range(config["num_hidden_layers"]):
        at = f"gpt_neox.layers.{block}.attention."
        tensors[at + "bias"] = torch.tril(torch.ones(CONTEXT, CONTEXT, dtype=torch.bool)).view(1, 1, CONTEXT, CONTEXT)
        tensors[at + "masked_bias"] = torch.tensor(-1e9).to(torch.float16)
        tensors[at + "rotary_emb.inv_freq"] = (1.0 / BASE ** (torch.arange(0, ROTARY, 2) / ROTARY)).to(torch.float16)
    return tensors


@on_model
def heads_in_gpt2_order(model):
    """query_key_value read as all queries, all keys, all values."""
    for layer in model.gpt_neox.layers:
        for tensor in (layer.attention.query_key_value.weight, layer.attention.query_key_value.bias):
            by_kind = tensor.detach().clone().unflatten(0, (3, HEADS, WIDTH // HEADS))
            tensor.data.copy_(by_kind.transpose(0, 1).flatten(0, 2))


FAMILY = Family(
    config={
        "architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "classifier_dropout": 0.1, "eos_token_id": 0, "hidden_act": "gelu",
        "hidden_size": WIDTH, "initializer_range": 0.02, "intermediate_size": 4 * WIDTH, "layer_norm_eps": 1e-5,
        "max_position_embeddings": CONTEXT, "model_type": "gpt_neox", "num_attention_heads": HEADS, "num_hidden_layers": 2,
        "rotary_emb_base": BASE, "rotary_pct": 0.25, "tie_word_embeddings": False, "torch_dtype": "float16", "use_cache": True,
        "use_parallel_residual": True, "vocab_size": 288,
    },
    generation={"_from_model_config": True, "bos_token_id": 0, "eos_token_id": 0, "transformers_version": "4.24.0"},
    tokenizer=tiny_tokenizers.neox,
    tokenizer_config={"add_prefix_space": False, "tokenizer_class": "GPTNeoXTokenizer", "bos_token": "<|endoftext|>",
                      "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
    dtype=torch.float16,
    window=None,
    features={
        "norm gains": without(("layernorm.weight", 1.0), ("final_layer_norm.weight", 1.0)),
        "norm biases": without(("layernorm.bias", 0.0), ("final_layer_norm.bias", 0.0)),
        "attention biases": without(("query_key_value.bias", 0.0), ("dense.bias", 0.0)),
        "MLP biases": without(("dense_h_to_4h.bias", 0.0), ("dense_4h_to_h.bias", 0.0)),
        "parallel residual": setting(use_parallel_residual=False),
        "partial rotary": setting(rotary_pct=1.0),
        "rotary base": setting(rotary_emb_base=100),
        "exact GELU": setting(hidden_act="relu"),
        "exact GELU, not the tanh one": subtle(setting(hidden_act="gelu_new")),
        "order of heads in query_key_value": heads_in_gpt2_order,
    },
    gain=lambda name: 2.5 if "query_key_value" in name else 3.0 if "h_to_4h" in name or "embed_out" in name or "4h_to_h" in name else 1.2,
    extra=extra, seed=2,
)
