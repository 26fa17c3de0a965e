"""Qwen 2 and 2.5: biases on query, key and value alone, grouped queries, tied head (as the small ones are published)."""
import torch
import tiny_tokenizers
from family import Family, interleaved_rotary, regrouped, setting, without

FAMILY = Family(
    config={
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 285, "eos_token_id": 287, "hidden_act": "silu",
        "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 64, "max_position_embeddings": 64, "max_window_layers": 1,
        "model_type": "qwen2", "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0, "sliding_window": 32, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "transformers_version": "4.43.1", "use_cache": True, "use_sliding_window": False, "vocab_size": 288,
    },
    generation={"bos_token_id": 285, "pad_token_id": 285, "do_sample": True, "eos_token_id": [287, 285], "repetition_penalty": 1.1,
                "temperature": 0.7, "top_p": 0.8, "top_k": 20, "transformers_version": "4.37.0"},
    tokenizer=tiny_tokenizers.qwen,
    tokenizer_config={"add_bos_token": False, "add_prefix_space": False, "bos_token": None, "clean_up_tokenization_spaces": False,
                      "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 64, "pad_token": "<|endoftext|>",
                      "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None},
    dtype=torch.bfloat16,
    window=None,
    features={
        "norm gains": without(("norm.weight", 1.0)),
        "biases of q, k and v": without(("_proj.bias", 0.0)),
        "rotary base": setting(rope_theta=10000.0),
        "rotary in halves": interleaved_rotary(16),
        "grouped queries": regrouped(4, 2, 16),
    },
    gain=lambda name: 1.8 if "q_proj" in name or "k_proj" in name else 1.2,
    final_gain=0.25, seed=3,
)
