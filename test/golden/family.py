"""What a family's file states: its checkpoint in miniature, and what each of its features is."""
from dataclasses import dataclass
from typing import Callable

import torch


@dataclass(frozen=True)
class Family:
    config: dict                    # config.json, with the keys of the published ones
    generation: dict                # generation_config.json
    tokenizer: Callable             # () -> tokenizers.Tokenizer
    tokenizer_config: dict
    dtype: torch.dtype              # of model.safetensors
    window: int | None              # keys that a local layer sees
    features: dict                  # name -> change of (config, tensors) or of the loaded model that drops the feature
    gain: Callable = lambda name: 1.0    # spread of a matrix, in units of 1 / sqrt(fan in)
    published: Callable = lambda name: name  # transformers' name of a tensor -> the published one; None leaves it out
    extra: Callable = lambda config: {}      # tensors that published files hold besides
    final_gain: float = 1.0
    zero_centred_norms: bool = False
    seed: int = 0


def without(*names_and_values):
    """A change that fills every tensor whose name holds one of `names` with `value`: without(("norm.weight", 1.0))."""
    def change(config, tensors):
        touched = 0
        for part, value in names_and_values:
            for name, tensor in tensors.items():
                if part in name:
                    tensor.fill_(value)
                    touched += 1
        assert touched, names_and_values
    return change


def setting(**values):
    """A change of config.json."""
    def change(config, tensors):
        assert any(config.get(key) != value for key, value in values.items()), values
        config.update(values)
    return change


def subtle(change):
    """A change between two near functions (exact and tanh GELU), for which three times the engine's tolerance of 1e-4 has to do."""
    change.smallest_effect = 3e-4
    return change


def on_model(change):
    """A change of the loaded model."""
    change.on_model = True
    return change


def regrouped(heads, key_value_heads, width):
    """Query heads share key-value heads by turns instead of in runs."""
    order = torch.arange(heads).view(heads // key_value_heads, key_value_heads).T.flatten()

    def change(config, tensors):
        for name, tensor in tensors.items():
            if "vision" in name:
                continue
            if "self_attn.q_proj" in name:
                tensor.copy_(tensor.unflatten(0, (heads, width))[order].flatten(0, 1))
            if "self_attn.o_proj.weight" in name:
                tensor.copy_(tensor.unflatten(1, (heads, width))[:, order].flatten(1, 2))
    return change


def interleaved_rotary(width):
    """Rotary turns neighbours (0, 1), (2, 3)… instead of halves (0, width / 2)…, as GGUF's llama does without its permutation."""
    order = torch.arange(width).view(width // 2, 2).T.flatten()

    def change(config, tensors):
        for name, tensor in tensors.items():
            if any(part in name for part in ("q_proj", "k_proj", "q_norm", "k_norm")) and "self_attn" in name and "vision" not in name:
                tensor.copy_(tensor.unflatten(0, (-1, width))[:, order].flatten(0, 1))
    return change
