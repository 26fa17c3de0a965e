"""The dictionaries of the default model against SAELens on 1,000 real activations each.

usage: python compare_saelens.py MODEL.gguf SAE_DIR…          (npm run build first; any of the demo dictionaries as SAE_DIR)
made with: sae-lens 6.54.12, torch 2.13.0, transformers 5.24.0, gguf, and node on the build in dist/

Reads this repository's documentation in contexts of 256 tokens, takes the stream at each dictionary's hook point (position 0 and sinks,
beyond six medians of the norm, left out), and prints the greatest difference between what SAELens and Tiller encode, relative to the
activation where that is above 1, the features that fire in one alone, and the same of decoding. SAELens computes in float32 and again in
float64, to tell its own rounding from a difference: decoded values are sums of hundreds. Exits 1 where encoding differs from SAELens in
float32, or anything from SAELens in float64, by more than 1e-5.
"""
import json, pathlib, subprocess, sys, tempfile
import numpy as np, torch
from sae_lens import SAE
from transformers import AutoModelForCausalLM, AutoTokenizer

CONTEXT, TOKENS = 256, 1000
root = pathlib.Path(__file__).resolve().parents[2]
gguf = pathlib.Path(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).eval()
text = "\n".join(path.read_text() for path in sorted((root / "docs").glob("*.md")))
ids = tokenizer(text)["input_ids"][: CONTEXT * 8]
hidden = []
with torch.no_grad():
    for start in range(0, len(ids), CONTEXT):
        out = model(torch.tensor([ids[start : start + CONTEXT]]), output_hidden_states=True)
        hidden.append([state[0, 1:] for state in out.hidden_states])

# Runs in node: reads a stream, writes what the dictionary encodes and decodes.
script = """
import { readFileSync, writeFileSync } from 'node:fs';
const [, dist, sae, stream, features, output] = process.argv;
const { loadDictionary } = await import(dist + '/sae-registry/index.js');
const dictionary = await loadDictionary(sae);
const bytes = readFileSync(stream);
const x = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const f = dictionary.encode(x);
writeFileSync(features, f);
writeFileSync(output, dictionary.decode(f, x));
"""


def difference(actual, expected):
    return float(((actual - expected).abs() / expected.abs().clamp(min=1)).max())


failed = False
for folder in map(pathlib.Path, sys.argv[2:]):
    sae = SAE.load_from_disk(folder, dtype="float32")
    exact = SAE.load_from_disk(folder, dtype="float64")
    layer = int(sae.cfg.metadata.hook_name.split(".")[1])
    stream = torch.cat([states[layer + 1] for states in hidden])
    norms = stream.norm(dim=-1)
    stream = stream[norms < 6 * norms.median()][:TOKENS].contiguous()
    assert len(stream) == TOKENS
    with torch.no_grad():
        features = sae.encode(stream)
        output = sae.decode(features)
        exact_features = exact.encode(stream.double())
    with tempfile.TemporaryDirectory() as temporary:
        names = [str(pathlib.Path(temporary) / name) for name in ("stream", "features", "output")]
        stream.numpy().astype("<f4").tofile(names[0])
        subprocess.run(["node", "--input-type=module", "-e", script, str(root / "dist"), str(folder.resolve()), *names], check=True)
        ours, ours_output = [torch.from_numpy(np.fromfile(name, "<f4")) for name in names[1:]]
    ours, ours_output = ours.reshape(features.shape), ours_output.reshape(output.shape)
    with torch.no_grad():
        exact_output = exact.decode(ours.double())
    figures = {
        "encode": difference(ours, features),
        "encode_float64": difference(ours, exact_features),
        "decode": difference(ours_output, output),
        "decode_float64": difference(ours_output, exact_output),
        "fires_in_one_alone": int(((ours > 0) != (features > 0)).sum()),
    }
    failed = failed or max(figures[name] for name in ("encode", "encode_float64", "decode_float64", "fires_in_one_alone")) > 1e-5
    print(json.dumps({"source": folder.name, "tokens": TOKENS, "active": float((features > 0).sum(-1).float().mean()), **figures}))
sys.exit(int(failed))
