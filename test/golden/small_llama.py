"""A small Llama as variants of it are published: what its files have in common. `changes` are fields of its config.json."""
import tiny_tokenizers

GENERATION = {"bos_token_id": 282, "eos_token_id": 283, "transformers_version": "4.45.0.dev0"}
TOKENIZER = tiny_tokenizers.llama3
TOKENIZER_CONFIG = {"bos_token": "<|begin_of_text|>", "clean_up_tokenization_spaces": True, "eos_token": "<|eot_id|>",
                    "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 64,
                    "tokenizer_class": "PreTrainedTokenizerFast"}


def config(**changes):
    published = {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 282,
        "eos_token_id": 283, "head_dim": 16, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02,
        "intermediate_size": 64, "max_position_embeddings": 64, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 4,
        "num_hidden_layers": 2, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-5, "rope_scaling": None,
        "rope_theta": 10000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
        "use_cache": True, "vocab_size": 288,
    }
    return {**published, **changes}


def gain(name):
    return 1.8 if "q_proj" in name or "k_proj" in name else 1.2
