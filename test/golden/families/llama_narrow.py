"""A Llama whose heads are 20 wide: no multiple of the 16 that attentions take at once (OpenLLaMA 3B has 100)."""
import torch
import tiny_tokenizers
from family import Family, interleaved_rotary, regrouped, setting, without

FAMILY = Family(
    config={
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 282,
        "eos_token_id": 283, "head_dim": 20, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02,
        "intermediate_size": 64, "max_position_embeddings": 64, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 4,
        "num_hidden_layers": 2, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-5, "rope_scaling": None,
        "rope_theta": 10000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
        "use_cache": True, "vocab_size": 288,
    },
    generation={"bos_token_id": 282, "eos_token_id": 283, "transformers_version": "4.45.0.dev0"},
    tokenizer=tiny_tokenizers.llama3,
    tokenizer_config={"bos_token": "<|begin_of_text|>", "clean_up_tokenization_spaces": True, "eos_token": "<|eot_id|>",
                      "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 64,
                      "tokenizer_class": "PreTrainedTokenizerFast"},
    dtype=torch.bfloat16,
    window=None,
    features={
        "norm gains": without(("norm.weight", 1.0)),
        "rotary base": setting(rope_theta=500000.0),
        "rotary in halves": interleaved_rotary(20),
        "grouped queries": regrouped(4, 2, 20),
    },
    gain=lambda name: 1.8 if "q_proj" in name or "k_proj" in name else 1.2,
    final_gain=0.35, seed=12,
)
