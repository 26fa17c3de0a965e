"""Golden data of all-MiniLM-L6-v2: token ids of the `tokenizers` library and sentence embeddings of the float32 weights.

    pip install numpy safetensors tokenizers
    python make_minilm.py <folder with model.safetensors and tokenizer.json> > ../fixtures/golden/minilm.json

The forward pass is written out in numpy (BERT: post-norm blocks, exact GELU; mean over all tokens of the text, unit length), so
nothing depends on how a library exported the model.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

TEXTS = [
    "songs and singing",
    "the word 'project' in git and Rust programming",
    "being happy, happiness",
    "Cafés in Zürich",
    "日本語 text",
    "don't, can't & won't: 'tis",
    "a\tb\nc  d\u00a0e",
    "emoji 😀 and €100.50",
    "antidisestablishmentarianism",
    "#hashtag @user https://example.com/a_b?c=d",
    "x",
    "closing brace after code placeholders and objects, " * 3,
]


def erf(x):
    # numpy has none.
    import math

    return np.vectorize(math.erf)(x)


def layer_norm(x, weight, bias):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-12) * weight + bias


def embed(weights, ids, heads=12):
    w = lambda name: weights[name].astype(np.float64)
    linear = lambda x, name: x @ w(f"{name}.weight").T + w(f"{name}.bias")
    norm = lambda x, name: layer_norm(x, w(f"{name}.weight"), w(f"{name}.bias"))
    x = w("embeddings.word_embeddings.weight")[ids]
    x = x + w("embeddings.position_embeddings.weight")[: len(ids)] + w("embeddings.token_type_embeddings.weight")[0]
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(6):
        at = f"encoder.layer.{layer}"
        split = lambda y: y.reshape(len(ids), heads, -1).transpose(1, 0, 2)
        q, k, v = (split(linear(x, f"{at}.attention.self.{name}")) for name in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(len(ids), -1)
        x = norm(x + linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        inner = linear(x, f"{at}.intermediate.dense")
        inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
        x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    pooled = x.mean(0)
    return pooled / np.linalg.norm(pooled)


def main(folder):
    weights = {name.removeprefix("bert."): value for name, value in load_file(folder / "model.safetensors").items()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    cases = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        vector = embed(weights, ids).astype("<f2")
        cases.append({"text": text, "ids": ids, "embedding": base64.b64encode(vector.tobytes()).decode()})
    json.dump({"embedding": "float16, little-endian, base64", "cases": cases}, sys.stdout, ensure_ascii=True, indent=1)
    print()


main(Path(sys.argv[1]))
