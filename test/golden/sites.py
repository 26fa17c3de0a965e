"""Where each architecture of transformers keeps the parts of a block, under one set of names."""
from dataclasses import dataclass
from types import SimpleNamespace


@dataclass(frozen=True)
class Names:
    embed: str
    blocks: str
    norms: dict          # TransformerLens' name of a norm -> attribute of the block
    attention: str
    final_norm: str
    pos_embed: str | None = None
    parallel: bool = False   # attention and MLP read the same stream: there is no hook_resid_mid


LLAMA = Names("embed_tokens", "layers", {"ln1": "input_layernorm", "ln2": "post_attention_layernorm"}, "self_attn", "norm")
GEMMA = Names(
    "embed_tokens", "layers",
    {"ln1": "input_layernorm", "ln1_post": "post_attention_layernorm",
     "ln2": "pre_feedforward_layernorm", "ln2_post": "post_feedforward_layernorm"},
    "self_attn", "norm",
)
NAMES = {
    "gpt2": Names("wte", "h", {"ln1": "ln_1", "ln2": "ln_2"}, "attn", "ln_f", pos_embed="wpe"),
    "gpt_neox": Names("embed_in", "layers", {"ln1": "input_layernorm", "ln2": "post_attention_layernorm"}, "attention",
                      "final_layer_norm", parallel=True),
    "llama": LLAMA, "mistral": LLAMA, "qwen2": LLAMA, "qwen3": LLAMA,
    "gemma2": GEMMA, "gemma3_text": GEMMA, "gemma3": GEMMA,
}


def sites(model):
    """The modules of a causal language model, by role."""
    names = NAMES[model.config.model_type]
    decoder = model.base_model
    decoder = getattr(decoder, "language_model", decoder)
    text = model.config.get_text_config()
    heads = text.num_attention_heads
    return SimpleNamespace(
        names=names, decoder=decoder, text=text, heads=heads,
        key_value_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_width=getattr(text, "head_dim", None) or text.hidden_size // heads,
        embed=getattr(decoder, names.embed),
        pos_embed=getattr(decoder, names.pos_embed) if names.pos_embed else None,
        blocks=getattr(decoder, names.blocks),
        final_norm=getattr(decoder, names.final_norm),
    )
