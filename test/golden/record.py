"""Runs a model of transformers once and keeps every hook point, in TransformerLens' spelling and shapes (without the batch axis)."""
import sys

import torch
from sites import sites


def record(model, ids):
    """Logits [tokens, vocabulary] and {hook point: tensor}; attention scores are minus infinity where a key may not be seen."""
    s, kept, handles = sites(model), {}, []

    def keep(name, value):
        assert name not in kept, name
        kept[name] = value.detach()[0].clone()

    def on_input(module, name):
        handles.append(module.register_forward_pre_hook(
            lambda m, args, kwargs: keep(name, args[0] if args else kwargs["hidden_states"]), with_kwargs=True))

    def on_output(module, name, shape=None):
        def hook(m, args, out):
            value = out[0] if isinstance(out, tuple) else out
            keep(name, value.unflatten(-1, shape) if shape else value)
        handles.append(module.register_forward_hook(hook))

    def norm(module, name):
        handles.append(module.register_forward_hook(lambda m, args, out: keep_norm(keep, name, m, args[0], out)))

    on_output(s.embed, "hook_embed")
    if s.pos_embed is not None:
        handles.append(s.pos_embed.register_forward_hook(lambda m, args, out: keep("hook_pos_embed", out.expand(1, -1, -1))))
    for index, block in enumerate(s.blocks):
        at = f"blocks.{index}."
        on_input(block, at + "hook_resid_pre")
        on_output(block, at + "hook_resid_post")
        for name, attribute in s.names.norms.items():
            norm(getattr(block, attribute), at + name)
        if not s.names.parallel:
            on_input(getattr(block, s.names.norms["ln2"]), at + "hook_resid_mid")
        attention = getattr(block, s.names.attention)
        queries_keys_values(s, keep, on_output, handles, attention, at)
        post = lambda name, module: getattr(block, s.names.norms[name]) if name in s.names.norms else module
        on_output(post("ln1_post", attention), at + "hook_attn_out")
        on_output(post("ln2_post", block.mlp), at + "hook_mlp_out")
        mlp(on_input, on_output, block.mlp, at)
    norm(s.final_norm, "ln_final")

    with torch.no_grad(), recorded_attention(s, keep):
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return logits, kept


def keep_norm(keep, name, module, x, out):
    """hook_scale [tokens, 1] and hook_normalized, which is before gain and bias, as in TransformerLens 4."""
    layer_norm = isinstance(module, torch.nn.LayerNorm)
    epsilon = next(v for v in (getattr(module, a, None) for a in ("variance_epsilon", "eps")) if v is not None)
    centred = x - x.mean(-1, keepdim=True) if layer_norm else x
    scale = (centred.pow(2).mean(-1, keepdim=True) + epsilon).sqrt()
    normalized = centred / scale
    if layer_norm:
        gained = normalized * module.weight + module.bias
    else:
        gained = normalized * (1 + module.weight if "Gemma" in type(module).__name__ else module.weight)
    assert torch.allclose(gained, out, rtol=1e-5, atol=1e-5), name
    keep(name + ".hook_scale", scale)
    keep(name + ".hook_normalized", normalized)


def queries_keys_values(s, keep, on_output, handles, attention, at):
    """Before rotary and before any norm of queries and keys: [tokens, heads, head width]."""
    fused = getattr(attention, "c_attn", None) or getattr(attention, "query_key_value", None)
    if fused is None:
        for letter, heads in (("q", s.heads), ("k", s.key_value_heads), ("v", s.key_value_heads)):
            on_output(getattr(attention, f"{letter}_proj"), f"{at}attn.hook_{letter}", (heads, s.head_width))
        return

    def split(module, args, out):
        if hasattr(attention, "c_attn"):     # GPT-2: all queries, all keys, all values
            parts = [part.unflatten(-1, (s.heads, s.head_width)) for part in out.chunk(3, -1)]
        else:                                # GPT-NeoX: head by head, each with its query, key and value
            parts = out.unflatten(-1, (s.heads, 3, s.head_width)).unbind(-2)
        for letter, part in zip("qkv", parts):
            keep(f"{at}attn.hook_{letter}", part)
    handles.append(fused.register_forward_hook(split))


def mlp(on_input, on_output, module, at):
    on_input(module, at + "mlp.hook_in")
    on_output(module, at + "mlp.hook_out")
    if hasattr(module, "gate_proj"):
        on_output(module.gate_proj, at + "mlp.hook_pre")
        on_output(module.up_proj, at + "mlp.hook_pre_linear")
        on_input(module.down_proj, at + "mlp.hook_post")
    else:
        up, down = ("c_fc", "c_proj") if hasattr(module, "c_fc") else ("dense_h_to_4h", "dense_4h_to_h")
        on_output(getattr(module, up), at + "mlp.hook_pre")
        on_input(getattr(module, down), at + "mlp.hook_post")


class recorded_attention:
    """Puts a recorder in the place of the model file's eager_attention_forward."""

    def __init__(self, s, keep):
        self.file, self.s, self.keep = sys.modules[type(s.decoder).__module__], s, keep

    def __enter__(self):
        self.original = self.file.eager_attention_forward
        self.file.eager_attention_forward = self.run

    def __exit__(self, *_):
        self.file.eager_attention_forward = self.original

    def run(self, module, query, key, value, mask, **kwargs):
        out, pattern = self.original(module, query, key, value, mask, **kwargs)
        at = f"blocks.{module.layer_idx}.attn."
        rotary = self.s.pos_embed is None
        if rotary:
            self.keep(at + "hook_rot_q", query.transpose(1, 2))
            self.keep(at + "hook_rot_k", key.transpose(1, 2))
        scaling = kwargs.get("scaling") or query.shape[-1] ** -0.5
        scores = query @ key.repeat_interleave(query.shape[1] // key.shape[1], 1).transpose(2, 3) * scaling
        if kwargs.get("softcap") is not None:
            scores = kwargs["softcap"] * torch.tanh(scores / kwargs["softcap"])
        allowed = mask > -1 if mask.dtype != torch.bool else mask
        scores = scores.masked_fill(~allowed.expand_as(scores), -torch.inf)
        assert torch.allclose(scores.softmax(-1), pattern, atol=1e-5), at
        self.keep(at + "hook_attn_scores", scores)
        self.keep(at + "hook_pattern", pattern)
        self.keep(at + "hook_z", out)
        return out, pattern
