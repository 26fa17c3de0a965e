"""Llama 3.1 and 3.2: RoPE scaling `llama3`, grouped queries, a head width of its own, tied head (as the 1B and 3B are published)."""
import torch
import tiny_tokenizers
from family import Family, interleaved_rotary, regrouped, setting, without

# In miniature so that all three ranges of wavelengths occur: 6.3 is kept, 19.9 is blended, 63 and longer are stretched.
SCALING = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 32, "rope_type": "llama3"}

FAMILY = Family(
    config={
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 282,
        "eos_token_id": [283, 286, 287], "head_dim": 16, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02,
        "intermediate_size": 96, "max_position_embeddings": 256, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 4,
        "num_hidden_layers": 2, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-5, "rope_scaling": SCALING,
        "rope_theta": 10000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
        "use_cache": True, "vocab_size": 288,
    },
    generation={"bos_token_id": 282, "do_sample": True, "eos_token_id": [283, 286, 287], "temperature": 0.6, "top_p": 0.9,
                "transformers_version": "4.45.0.dev0"},
    tokenizer=tiny_tokenizers.llama3,
    tokenizer_config={"bos_token": "<|begin_of_text|>", "clean_up_tokenization_spaces": True, "eos_token": "<|eot_id|>",
                      "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 256,
                      "tokenizer_class": "PreTrainedTokenizerFast"},
    dtype=torch.bfloat16,
    window=None,
    features={
        "norm gains": without(("norm.weight", 1.0)),
        "rotary scaling": setting(rope_scaling=None),
        "rotary scaling: the low end": setting(rope_scaling={**SCALING, "low_freq_factor": 2.0}),
        "rotary scaling: the high end": setting(rope_scaling={**SCALING, "high_freq_factor": 8.0}),
        "rotary scaling: the factor": setting(rope_scaling={**SCALING, "factor": 32.0}),
        "rotary base": setting(rope_theta=500000.0),
        "rotary in halves": interleaved_rotary(16),
        "grouped queries": regrouped(4, 2, 16),
    },
    gain=lambda name: 1.8 if "q_proj" in name or "k_proj" in name else 1.2,
    final_gain=0.35, seed=8,
)
