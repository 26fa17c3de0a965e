"""Makes test/fixtures/families: a tiny random checkpoint of each family and what transformers computes with it.

usage: python make.py [FAMILY ...]     (from anywhere; all families where none is named)
needs: requirements.txt. Every file is the same, byte for byte, on one machine and set of versions.
"""
import base64
import importlib
import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

transformers.utils.logging.disable_progress_bar()
sys.path.insert(0, str(Path(__file__).resolve().parent))
from record import record  # noqa: E402

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "fixtures" / "families"
SHORT, LONG = "Why", "Licensed under the Apache License, Version 2.0 (the \"License\"); you may not use this file except in compliance"
FINAL_NORMS = ("ln_f.weight", "model.norm.weight", "final_layer_norm.weight")
LONG_TOKENS, LIMIT = 24, 300_000
SMALLEST_EFFECT = 1e-2


def base64_float32(tensor):
    return base64.b64encode(np.ascontiguousarray(tensor.detach().float().numpy(), dtype="<f4").tobytes()).decode()


def random_tensors(family, config):
    """Every parameter of the model, drawn so that each matters: gains away from 1, biases away from 0, peaked attention."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    generator, tensors = torch.Generator().manual_seed(20_261_100 + family.seed), {}
    tied = {name for name in model.state_dict() if name.endswith("lm_head.weight")} if config.get_text_config().tie_word_embeddings else set()
    for name, weight in model.state_dict().items():
        published = family.published(name)
        if name in tied or published is None:
            continue
        noise = torch.randn(weight.shape, generator=generator)
        if "norm" in name.lower() or ".ln_" in name:
            centre = 0.0 if name.endswith("bias") or family.zero_centred_norms else 1.0
            value = centre + 0.3 * noise
            if published.endswith(FINAL_NORMS):
                # keeps the logits of a tied head small, so that perplexity is a number of some hundreds
                value = family.final_gain * (1.0 + 0.3 * noise) - (1.0 - centre)
        elif weight.dim() == 1:
            value = 0.3 * noise
        elif "wpe" in name:
            value = 0.4 * noise
        elif "embed" in name or "wte" in name:
            value = family.gain(name) * 0.6 * noise
        else:
            fan_in = weight.shape[0] if config.model_type == "gpt2" else weight.shape[1:].numel()
            value = family.gain(name) * noise / fan_in ** 0.5
        tensors[published] = value.to(family.dtype).contiguous()
    return tensors


def write_checkpoint(folder, family, config, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    write = lambda name, value: (folder / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    write("config.json", config)
    write("generation_config.json", family.generation)
    save_file({**tensors, **family.extra(config)}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    tokenizer = family.tokenizer()
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
    write("tokenizer_config.json", family.tokenizer_config)


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def prompts(folder, family):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    short = tokenizer.encode(SHORT).ids
    long = tokenizer.encode(LONG).ids[:LONG_TOKENS]
    assert len(long) == LONG_TOKENS and len(short) < 8 and (family.window is None or family.window < LONG_TOKENS // 2), (short, long)
    return [("short", SHORT, short), ("long", None, long)]


def kept_positions(name, ids, window):
    """All of the short prompt; of the long one the last and, with a window, the last before a key falls out of it and the first after."""
    if name == "short":
        return list(range(len(ids)))
    return [*([window - 1, window] if window else [len(ids) // 2]), len(ids) - 1]


def golden(model, folder, family):
    cases = []
    for name, text, ids in prompts(folder, family):
        logits, hooks = record(model, ids)
        positions = kept_positions(name, ids, family.window)
        loss = torch.nn.functional.cross_entropy(logits[:-1].double(), torch.tensor(ids[1:])).item()
        kept = {}
        for point, value in hooks.items():
            by_head = point.endswith(("hook_attn_scores", "hook_pattern"))
            value = value[:, positions] if by_head else value[positions]
            kept[point] = {"shape": list(value.shape), "data": base64_float32(value)}
        cases.append({"name": name, **({"text": text} if text else {}), "ids": ids, "positions": positions, "perplexity": math.exp(loss),
                      "logits": {"shape": list(logits.shape), "data": base64_float32(logits)}, "hooks": kept})
    about = {"made_by": "test/golden/make.py", "torch": torch.__version__, "transformers": transformers.__version__,
             "dtype": "float32", "attention": "eager"}
    head = json.dumps(about, indent=1)[:-2]
    body = ",\n ".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (folder / "golden.json").write_text(f'{head},\n "cases": [\n {body}\n ]\n}}\n')


@torch.no_grad()
def check_features(model, folder, family):
    """Each feature, dropped, changes the logits of the long prompt; otherwise nothing would notice that it is missing."""
    ids = prompts(folder, family)[1][2]
    logits = lambda of: of(torch.tensor([ids]), use_cache=False).logits[0]
    before = logits(model)
    for name, change in family.features.items():
        if getattr(change, "on_model", False):
            changed = load(folder)
            change(changed)
        else:
            with tempfile.TemporaryDirectory() as other:
                other = Path(other) / "checkpoint"
                shutil.copytree(folder, other)
                config, tensors = json.loads((folder / "config.json").read_text()), load_file(folder / "model.safetensors")
                change(config, tensors)
                (other / "config.json").write_text(json.dumps(config))
                save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
                changed = load(other)
        effect = (logits(changed) - before).abs().max().item()
        print(f"  {name}: {effect:.3f}")
        assert effect > getattr(change, "smallest_effect", SMALLEST_EFFECT), (name, effect)


def main():
    names = sys.argv[1:] or sorted(file.stem for file in (HERE / "families").glob("*.py"))
    for name in names:
        family = importlib.import_module(f"families.{name}").FAMILY
        folder = OUT / name
        with tempfile.TemporaryDirectory() as empty:
            (Path(empty) / "config.json").write_text(json.dumps(family.config))
            config = AutoConfig.from_pretrained(empty)
        write_checkpoint(folder, family, family.config, random_tensors(family, config))
        model = load(folder)
        golden(model, folder, family)
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{name}: {size} bytes {({f.name: f.stat().st_size for f in folder.iterdir()})}")
        check_features(model, folder, family)
        assert size <= LIMIT, size


main()
