"""Mistral 7B v0.1: Llama's block with every block's attention in a sliding window, separate head. With the head_dim of Mistral Nemo."""
import torch
import tiny_tokenizers
from family import Family, interleaved_rotary, regrouped, setting, without

WINDOW = 8

FAMILY = Family(
    config={
        "architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "head_dim": 16, "hidden_act": "silu", "hidden_size": 32,
        "initializer_range": 0.02, "intermediate_size": 64, "max_position_embeddings": 64, "model_type": "mistral",
        "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "sliding_window": WINDOW, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.34.0.dev0",
        "use_cache": True, "vocab_size": 384,
    },
    generation={"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "transformers_version": "4.34.0.dev0"},
    tokenizer=tiny_tokenizers.llama2,
    tokenizer_config={"add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "clean_up_tokenization_spaces": False,
                      "eos_token": "</s>", "legacy": True, "model_max_length": 64, "pad_token": None, "sp_model_kwargs": {},
                      "spaces_between_special_tokens": False, "tokenizer_class": "LlamaTokenizer", "unk_token": "<unk>",
                      "use_default_system_prompt": False},
    dtype=torch.bfloat16,
    window=WINDOW,
    features={
        "norm gains": without(("norm.weight", 1.0)),
        "window": setting(sliding_window=None),
        "window, one wider": setting(sliding_window=WINDOW + 1),
        "window, one narrower": setting(sliding_window=WINDOW - 1),
        "rotary base": setting(rope_theta=1000000.0),
        "rotary in halves": interleaved_rotary(16),
        "grouped queries": regrouped(4, 2, 16),
    },
    gain=lambda name: 1.8 if "q_proj" in name or "k_proj" in name else 1.2,
    seed=9,
)
