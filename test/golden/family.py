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
    """A change between two near functions (exact and tanh GELU), for which ten times the engine's tolerance of 1e-4 has to do."""
    change.smallest_effect = 1e-3
    return change


def on_model(change):
    """A change of the loaded model."""
    change.on_model = True
    return change
