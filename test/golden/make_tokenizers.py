"""Makes test/fixtures/tokenizers: tokenizers with every part of the families' published ones, and what the original library does with them.

usage: python make_tokenizers.py     (from anywhere)
needs: requirements.txt
"""
import json
from pathlib import Path

import tiny_tokenizers as tiny
import tokenizers
from tokenizers import AddedToken, pre_tokenizers

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
STRINGS = json.loads((FIXTURES / "golden" / "prompts.json").read_text())["tokenizer"]
# of SentencePiece's alphabet: characters beyond it are spelled in bytes
PLAIN = [tiny.LICENCE, *(text for text in STRINGS if text.isascii() for _ in range(20))]
# the long s is an s without regard to case: the splitting of "it'\u017fam" shows whether a tokenizer knows
CORPUS = [tiny.LICENCE, *STRINGS * 20, "\u017fam " * 50]
OWN_STRINGS = [
    "a  b   c\n\n\n\nd\t\te", "                          x", "DON'T we'LL it'S", "1234567 2026-11-27", "x\u2581\u2581y", "\u00e9 e\u0301 \u212b \ufb01", "\n", "\r\n\r\n", " \n \n",
    "\u0085\ufeff\u00a0\u3000z", "\u0669\u0663 x\u00b2 \u2167", "<s>[INST] hi [/INST]", "<bos><start_of_turn>user\nhi<end_of_turn>\n",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>", "<|im_start|>user\nhi<|im_end|>\n<think>\n\n</think>\n\n", "hi<s> there</s>",
    "<table>x</table>", "\U0001f469\u200d\U0001f680\u0000\u0007", "License license LICENSE", "it'\u017fam '\u017f IT'S",
]


def neox():
    tokenizer = tiny.neox(600, corpus=CORPUS)
    # Pythia's runs of spaces: not special, and looked for after NFC
    tokenizer.add_tokens([AddedToken(" " * length, special=False, normalized=True) for length in range(24, 1, -1)])
    return tokenizer


def qwen():
    tokenizer = tiny.qwen(600, corpus=CORPUS)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>")])
    return tokenizer


def every_way(tokenizer, own=()):
    """Merges as they are converted from SentencePiece's scores: every two tokens that make a third, by the score of the third and then the
    longer left half. `own` tokens have the best score of all."""
    description = json.loads(tokenizer.to_str())
    vocabulary = description["model"]["vocab"]
    scores = {"".join(merge): -1 - rank for rank, merge in reversed(list(enumerate(description["model"]["merges"])))}
    scores.update((token, 0) for token in own)
    ways = [(token[:at], token[at:], score) for token, score in scores.items() for at in range(1, len(token))
            if token[:at] in vocabulary and token[at:] in vocabulary]
    ways.sort(key=lambda way: (-way[2], -len(way[0]), -len(way[1])))
    description["model"]["merges"] = [[left, right] for left, right, _ in ways]
    return tokenizers.Tokenizer.from_str(json.dumps(description))


def gemma():
    own = ("\n\n", "\n\n\n", "\u2581\u2581", "\u2581\u2581\u2581", "<table>", "</table>")
    return every_way(tiny.gemma(700, corpus=PLAIN, own=own), own)


def mistral():
    """Mistral's instruct models from v0.3 on: a Metaspace that prefixes the first piece alone."""
    tokenizer = tiny.llama2(600, ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"), corpus=PLAIN)
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first", split=False)
    return tokenizer


def metaspace_split():
    """No family's: Metaspace with its default to split, and one more way to split after it."""
    tokenizer = mistral()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=True),
        pre_tokenizers.Split(tokenizers.Regex(r"[.,;]"), behavior="merged_with_next", invert=False),
        pre_tokenizers.Split("n", behavior="merged_with_previous", invert=False),
    ])
    return tokenizer


def prefix_space():
    """RoBERTa's way of GPT-2's pre-tokenizer, with digits apart."""
    tokenizer = tiny.gpt2(600, corpus=CORPUS)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=True)])
    return tokenizer


TOKENIZERS = {
    "gpt2": lambda: tiny.gpt2(600, corpus=CORPUS),
    "gpt_neox": neox,
    "qwen": qwen,
    "llama3": lambda: tiny.llama3(600, corpus=CORPUS, ignore_merges=True),
    "gemma": gemma,
    "llama2": lambda: every_way(tiny.llama2(700, corpus=PLAIN)),
    "mistral": mistral,
    "metaspace_split": metaspace_split,
    "prefix_space": prefix_space,
}


def strings(tokenizer):
    for text in dict.fromkeys([*STRINGS, *OWN_STRINGS]):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        yield {"text": text, "ids": ids, "with_special": tokenizer.encode(text).ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}


def main():
    out = FIXTURES / "tokenizers"
    out.mkdir(exist_ok=True)
    for name, make in TOKENIZERS.items():
        tokenizer = make()
        description = json.loads(tokenizer.to_str())
        (out / f"{name}.json").write_text(json.dumps(description, ensure_ascii=False, separators=(",", ":")) + "\n")
        lines = ",\n ".join(json.dumps(case) for case in strings(tokenizer))
        about = json.dumps({"made_by": "test/golden/make_tokenizers.py", "tokenizers": tokenizers.__version__})[:-1]
        (out / f"{name}-golden.json").write_text(f'{about},\n "strings": [\n {lines}\n]}}\n')
        print(name, tokenizer.get_vocab_size())


main()
