"""How the first releases of the families name their weights: diffusers' names → those of lone files in that layout.

Only which names there are, for checks; converting the tensors is the loaders' affair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_Rules = tuple[tuple[str, str], ...]
_IN_RESNET: _Rules = (
    (r"\.norm1\.", ".in_layers.0."), (r"\.conv1\.", ".in_layers.2."), (r"\.time_emb_proj\.", ".emb_layers.1."),
    (r"\.norm2\.", ".out_layers.0."), (r"\.conv2\.", ".out_layers.3."), (r"\.conv_shortcut\.", ".skip_connection."),
)  # fmt: skip
_UNET: _Rules = (
    (r"^time_embedding\.linear_1", "time_embed.0"), (r"^time_embedding\.linear_2", "time_embed.2"),
    (r"^add_embedding\.linear_1", "label_emb.0.0"), (r"^add_embedding\.linear_2", "label_emb.0.2"),
    (r"^conv_in\.", "input_blocks.0.0."), (r"^conv_norm_out\.", "out.0."), (r"^conv_out\.", "out.2."),
    (r"^mid_block\.resnets\.0\.", "middle_block.0."), (r"^mid_block\.resnets\.1\.", "middle_block.2."),
    (r"^mid_block\.attentions\.0\.", "middle_block.1."),
)  # fmt: skip
_VAE: _Rules = (
    (r"coder\.down_blocks\.(\d+)\.resnets\.(\d+)", r"coder.down.\1.block.\2"),
    (r"coder\.down_blocks\.(\d+)\.downsamplers\.0", r"coder.down.\1.downsample"),
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."), (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.", ".mid.attn_1."), (r"\.conv_norm_out\.", ".norm_out."),
    (r"attn_1\.group_norm\.", "attn_1.norm."), (r"attn_1\.to_(q|k|v)\.", r"attn_1.\1."),
    (r"attn_1\.to_out\.0\.", "attn_1.proj_out."), (r"\.conv_shortcut\.", ".nin_shortcut."),
)  # fmt: skip
_FLUX: _Rules = (
    (r"^x_embedder\.", "img_in."), (r"^context_embedder\.", "txt_in."), (r"^proj_out\.", "final_layer.linear."),
    (r"^norm_out\.linear\.", "final_layer.adaLN_modulation.1."),
    (r"^time_text_embed\.timestep_embedder\.", "time_in."), (r"^time_text_embed\.text_embedder\.", "vector_in."),
    (r"^time_text_embed\.guidance_embedder\.", "guidance_in."), (r"_in\.linear_1\.", "_in.in_layer."),
    (r"_in\.linear_2\.", "_in.out_layer."),
    (r"^single_transformer_blocks\.(\d+)\.norm\.linear\.", r"single_blocks.\1.modulation.lin."),
    (r"^single_transformer_blocks\.(\d+)\.(attn\.to_[qkv]|proj_mlp)\.", r"single_blocks.\1.linear1."),
    (r"^single_transformer_blocks\.(\d+)\.proj_out\.", r"single_blocks.\1.linear2."),
    (r"^single_transformer_blocks\.(\d+)\.attn\.norm_q\.weight", r"single_blocks.\1.norm.query_norm.scale"),
    (r"^single_transformer_blocks\.(\d+)\.attn\.norm_k\.weight", r"single_blocks.\1.norm.key_norm.scale"),
    (r"^transformer_blocks\.", "double_blocks."), (r"\.norm1\.linear\.", ".img_mod.lin."),
    (r"\.norm1_context\.linear\.", ".txt_mod.lin."), (r"\.attn\.to_[qkv]\.", ".img_attn.qkv."),
    (r"\.attn\.add_[qkv]_proj\.", ".txt_attn.qkv."), (r"\.attn\.to_out\.0\.", ".img_attn.proj."),
    (r"\.attn\.to_add_out\.", ".txt_attn.proj."), (r"\.attn\.norm_q\.weight", ".img_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_k\.weight", ".img_attn.norm.key_norm.scale"),
    (r"\.attn\.norm_added_q\.weight", ".txt_attn.norm.query_norm.scale"),
    (r"\.attn\.norm_added_k\.weight", ".txt_attn.norm.key_norm.scale"), (r"\.ff\.net\.0\.proj\.", ".img_mlp.0."),
    (r"\.ff\.net\.2\.", ".img_mlp.2."), (r"\.ff_context\.net\.0\.proj\.", ".txt_mlp.0."),
    (r"\.ff_context\.net\.2\.", ".txt_mlp.2."),
)  # fmt: skip
_SD3: _Rules = (
    (r"^pos_embed\.proj\.", "x_embedder.proj."), (r"^pos_embed\.pos_embed$", "pos_embed"),
    (r"^time_text_embed\.timestep_embedder\.", "t_embedder."), (r"^time_text_embed\.text_embedder\.", "y_embedder."),
    (r"_embedder\.linear_1\.", "_embedder.mlp.0."), (r"_embedder\.linear_2\.", "_embedder.mlp.2."),
    (r"^norm_out\.linear\.", "final_layer.adaLN_modulation.1."), (r"^proj_out\.", "final_layer.linear."),
    (r"^transformer_blocks\.", "joint_blocks."), (r"\.norm1\.linear\.", ".x_block.adaLN_modulation.1."),
    (r"\.norm1_context\.linear\.", ".context_block.adaLN_modulation.1."),
    (r"\.attn(2?)\.to_[qkv]\.", r".x_block.attn\1.qkv."),
    (r"\.attn\.add_[qkv]_proj\.", ".context_block.attn.qkv."), (r"\.attn(2?)\.to_out\.0\.", r".x_block.attn\1.proj."),
    (r"\.attn\.to_add_out\.", ".context_block.attn.proj."), (r"\.attn(2?)\.norm_(q|k)\.", r".x_block.attn\1.ln_\2."),
    (r"\.attn\.norm_added_(q|k)\.", r".context_block.attn.ln_\1."), (r"\.ff\.net\.0\.proj\.", ".x_block.mlp.fc1."),
    (r"\.ff\.net\.2\.", ".x_block.mlp.fc2."), (r"\.ff_context\.net\.0\.proj\.", ".context_block.mlp.fc1."),
    (r"\.ff_context\.net\.2\.", ".context_block.mlp.fc2."),
)  # fmt: skip
_OPEN_CLIP: _Rules = (
    (r"^text_model\.embeddings\.token_embedding\.weight", "token_embedding.weight"),
    (r"^text_model\.embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"^text_model\.encoder\.layers\.", "transformer.resblocks."), (r"^text_model\.final_layer_norm\.", "ln_final."),
    (r"\.self_attn\.[qkv]_proj\.", ".attn.in_proj_"), (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"\.layer_norm1\.", ".ln_1."), (r"\.layer_norm2\.", ".ln_2."), (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."), (r"^text_projection\.weight", "text_projection"),
)  # fmt: skip


def _apply(name: str, rules: _Rules) -> str:
    for pattern, into in rules:
        name = re.sub(pattern, into, name)
    return name


def _unet(name: str, config: Mapping[str, Any]) -> str:
    layers = config.get("layers_per_block", 2)
    layers = layers[0] if isinstance(layers, (list, tuple)) else layers
    match = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    if match is None:
        found = _apply(name, _UNET)
        return _apply(found, _IN_RESNET) if found.startswith(("middle_block.0.", "middle_block.2.")) else found
    way, i, part, j, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    if part == "downsamplers":
        return f"input_blocks.{(layers + 1) * (i + 1)}.0.op.{rest.removeprefix('conv.')}"
    if part == "upsamplers":
        crossed = str(config["up_block_types"][i]).startswith("Cross")
        return f"output_blocks.{(layers + 1) * i + layers}.{2 if crossed else 1}.{rest}"
    block = f"input_blocks.{(layers + 1) * i + 1 + j}" if way == "down" else f"output_blocks.{(layers + 1) * i + j}"
    if part == "attentions":
        return f"{block}.1.{rest}"
    return _apply(f"{block}.0.{rest}", _IN_RESNET)


def _vae(name: str, config: Mapping[str, Any]) -> str:
    last = len(config["block_out_channels"]) - 1
    turned = re.sub(
        r"^decoder\.up_blocks\.(\d+)\.(resnets\.(\d+)|upsamplers\.0)",
        lambda m: f"decoder.up.{last - int(m[1])}." + (f"block.{m[3]}" if m[3] else "upsample"), name,
    )  # fmt: skip
    return _apply(turned, _VAE)


_HINTS: _Rules = (
    (r"^controlnet_cond_embedding\.conv_in\.", "input_hint_block.0."),
    (r"^controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0."),
    (r"^controlnet_mid_block\.", "middle_block_out.0."),
)  # fmt: skip


def _control(name: str, config: Mapping[str, Any]) -> str:
    if match := re.match(r"controlnet_cond_embedding\.blocks\.(\d+)\.(.*)", name):
        return f"input_hint_block.{2 * (int(match[1]) + 1)}.{match[2]}"
    if name.startswith("controlnet_cond_embedding.conv_out."):
        return f"input_hint_block.14.{name.rpartition('.')[2]}"
    found = _apply(name, _HINTS)
    return _unet(name, config) if found == name else found


_LAYOUTS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "UNet2DConditionModel": _unet,
    "ControlNetModel": _control,
    "AutoencoderKL": _vae,
    "FluxTransformer2DModel": lambda name, config: _apply(name, _FLUX),
    "SD3Transformer2DModel": lambda name, config: _apply(name, _SD3),
    "CLIPTextModelWithProjection": lambda name, config: _apply(name, _OPEN_CLIP),
}


def rename_first(names: Iterable[str], kind: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Each of diffusers' names → the first release's name of what holds it; empty for a class without one."""
    layout = _LAYOUTS.get(kind)
    return {} if layout is None else {name: layout(name, config) for name in names}
