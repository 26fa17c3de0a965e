"""Tokenizers of a few hundred tokens with the pre-tokenizers of the published ones, trained on the licence text."""
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LICENCE = (Path(__file__).resolve().parents[2] / "LICENSE").read_text()
GPT4_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(regex):
    return pre_tokenizers.Split(Regex(regex), behavior="isolated", invert=False)


def byte_level(pre_tokenizer, special, vocabulary, normalizer=None, bos=None, special_first=True, corpus=(LICENCE,), ignore_merges=False):
    """Byte-level BPE. With `special_first` false the special tokens follow the others, as in Llama 3 and Qwen."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trained = vocabulary - (0 if special_first else len(special))
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=trained, special_tokens=special if special_first else [],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    if not special_first:
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    if bos:
        template = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))])
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    assert tokenizer.get_vocab_size() == vocabulary, tokenizer.get_vocab_size()
    return tokenizer


def gpt2(vocabulary=288, **more):
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"], vocabulary, **more)


def neox(vocabulary=288, **more):
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return byte_level(pre, ["<|endoftext|>", "<|padding|>"], vocabulary, normalizers.NFC(), **more)


def qwen(vocabulary=288, **more):
    pre = pre_tokenizers.Sequence([split(GPT4_WORDS % ""), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return byte_level(pre, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], vocabulary, normalizers.NFC(), special_first=False, **more)


def llama3(vocabulary=288, **more):
    pre = pre_tokenizers.Sequence([split(GPT4_WORDS % "{1,3}"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>"]
    return byte_level(pre, special, vocabulary, bos="<|begin_of_text|>", special_first=False, **more)


def sentence_piece(special, bytes_at, vocabulary, gemma, bos, corpus=(LICENCE,), own=()):
    """SentencePiece's BPE with byte fallback, as transformers converts it; Gemma's has no dummy prefix, Llama 2's has one.
    `own`: tokens that are matched in the text as they stand but are not special."""
    pieces = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    pieces.normalizer = normalizers.Replace(" ", "\u2581")
    fixed = special[:bytes_at] + [f"<0x{byte:02X}>" for byte in range(256)] + special[bytes_at:] + list(own)
    pieces.train_from_iterator([text.replace(" ", "\u2581") for text in corpus], trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=fixed, show_progress=False, max_token_length=8))
    model = pieces.model
    tokenizer = Tokenizer(model)
    if gemma:
        tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous", invert=False)
        steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in own])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    assert tokenizer.get_vocab_size() == vocabulary, tokenizer.get_vocab_size()
    return tokenizer


def gemma(vocabulary=384, **more):
    return sentence_piece(["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"], 4, vocabulary, True, "<bos>", **more)


def llama2(vocabulary=384, special=("<unk>", "<s>", "</s>"), **more):
    return sentence_piece(list(special), 3, vocabulary, False, "<s>", **more)
