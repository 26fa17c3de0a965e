"""Gemma 3 with images (as the 4B and larger are published): the text model lies in `text_config` and under `language_model.`, beside a vision
tower that text does not use; the config leaves out what equals Gemma3TextConfig's defaults; rotary of global blocks is stretched linearly."""
import tiny_tokenizers
import torch
from families.gemma3 import FEATURES, TOKENIZER_CONFIG
from family import Family, setting

WINDOW = 8


def text_setting(**values):
    def change(config, tensors):
        setting(**values)(config["text_config"], tensors)
    return change


def published(name):
    """transformers 5's name of a tensor -> that of the published files."""
    if name.startswith("model.language_model."):
        return "language_model.model." + name.removeprefix("model.language_model.")
    if name.startswith("model.vision_tower."):
        inner = name.removeprefix("model.vision_tower.").removeprefix("vision_model.")
        return "vision_tower.vision_model." + inner
    return name.removeprefix("model.")


FAMILY = Family(
    config={
        "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 384, "eoi_token_index": 385, "eos_token_id": [1, 5],
        "image_token_index": 386, "initializer_range": 0.02, "mm_tokens_per_image": 4, "model_type": "gemma3",
        "text_config": {
            "head_dim": 16, "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 64, "model_type": "gemma3_text",
            "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": WINDOW, "sliding_window_pattern": 2, "vocab_size": 416,
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
        "vision_config": {
            "hidden_size": 16, "image_size": 8, "intermediate_size": 16, "model_type": "siglip_vision_model", "num_attention_heads": 1,
            "num_hidden_layers": 1, "patch_size": 2, "vision_use_head": False,
        },
    },
    generation={"bos_token_id": 2, "cache_implementation": "hybrid", "do_sample": True, "eos_token_id": [1, 5], "pad_token_id": 0,
                "top_k": 64, "top_p": 0.95, "transformers_version": "4.50.0.dev0"},
    tokenizer=tiny_tokenizers.gemma,
    tokenizer_config=TOKENIZER_CONFIG,
    dtype=torch.bfloat16,
    window=WINDOW,
    features={
        **FEATURES,
        "linear rotary scaling": text_setting(rope_scaling=None),
        "default rotary base": text_setting(rope_theta=10000),
        "default local rotary base": text_setting(rope_local_base_freq=1000000),
        "default query_pre_attn_scalar": text_setting(query_pre_attn_scalar=16),
        "window": text_setting(sliding_window=64),
        "window, one wider": text_setting(sliding_window=WINDOW + 1),
    },
    gain=lambda name: 2.0 if "gate_proj" in name else 1.2,
    published=published, zero_centred_norms=True, final_gain=0.35, seed=7,
)
