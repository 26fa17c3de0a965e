"""Makes test/fixtures/families/transformer-lens/<family>.json: TransformerLens' names and values of the checkpoints that make.py made.

usage: python make_transformer_lens.py     (from anywhere, after make.py)
needs: requirements-transformer-lens.txt. Weights are left as they are (`no_processing`): nothing folded, nothing centred.
"""
import base64
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoModelForCausalLM, AutoTokenizer

FAMILIES = Path(__file__).resolve().parents[1] / "fixtures" / "families"
BY_HEAD = ("hook_attn_scores", "hook_pattern")
# what this version of TransformerLens does not have, family by family
MISSING = {"gpt2": [], "gpt_neox": ["attn.hook_rot_q", "attn.hook_rot_k"]}
RELATIVE = 1e-5


def bridge(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, tokenizer=AutoTokenizer.from_pretrained(folder), device="cpu")
    bridge.enable_compatibility_mode(no_processing=True, disable_warnings=True)
    return bridge


def array(value):
    numbers = np.frombuffer(base64.b64decode(value["data"]), dtype="<f4")
    return torch.from_numpy(numbers.copy()).view(value["shape"])


def written(value):
    data = base64.b64encode(np.ascontiguousarray(value.detach().numpy(), dtype="<f4").tobytes()).decode()
    return {"shape": list(value.shape), "data": data}


def seen(value):
    """Scores of keys that the mask hides: TransformerLens keeps float32's lowest number there, transformers' figures minus infinity."""
    return value.masked_fill(value <= torch.finfo(torch.float32).min, -torch.inf)


def relative_difference(a, b):
    assert torch.equal(a.isinf(), b.isinf())
    a, b = a[~a.isinf()], b[~b.isinf()]
    return ((a - b).norm() / b.norm()).item()


def compare(name):
    """The short prompt's figures and the largest relative difference ‖a − b‖ / ‖b‖ from transformers over both prompts."""
    folder, differences, hooks = FAMILIES / name, {}, {}
    model, cases = bridge(folder), json.loads((folder / "golden.json").read_text())["cases"]
    for case in cases:
        with torch.no_grad():
            logits, cache = model.run_with_cache(torch.tensor([case["ids"]]))
        absent = [point for point in case["hooks"] if point not in cache]
        assert all(point.split(".", 2)[-1] in MISSING[name] for point in absent), absent
        found = {"logits": (logits[0], case["logits"])}
        for point, value in case["hooks"].items():
            if point not in absent:
                ours = cache[point][0]
                ours = ours[:, case["positions"]] if point.endswith(BY_HEAD) else ours[case["positions"]]
                found[point] = (seen(ours) if point.endswith("hook_attn_scores") else ours, value)
        for point, (ours, theirs) in found.items():
            assert list(ours.shape) == theirs["shape"], (point, ours.shape, theirs["shape"])
            differences[point] = max(differences.get(point, 0.0), relative_difference(ours, array(theirs)))
            if case["name"] == "short":
                hooks[point] = written(ours)
    logits = hooks.pop("logits")
    worst = max(differences, key=differences.get)
    print(name, len(hooks), "hook points, worst", worst, differences[worst])
    assert differences[worst] < RELATIVE
    return {"made_by": "test/golden/make_transformer_lens.py", "transformer_lens": version("transformer-lens"), "torch": torch.__version__,
            "ids": next(case["ids"] for case in cases if case["name"] == "short"),
            "largest_relative_difference": differences[worst], "missing": MISSING[name], "logits": logits, "hooks": hooks}


def main():
    out = FAMILIES / "transformer-lens"
    out.mkdir(exist_ok=True)
    for name in MISSING:
        (out / f"{name}.json").write_text(json.dumps(compare(name)) + "\n")


main()
