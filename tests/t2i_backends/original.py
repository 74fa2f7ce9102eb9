"""Weights under the names of the original releases, so that single files can be made of tiny pipelines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

State = dict[str, torch.Tensor]
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_PLAIN = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0",
    "conv_out": "out.2", "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "mid_block.attentions.0": "middle_block.1", "mid_block.resnets.0": "middle_block.0",
    "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip


def unet(state: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """A UNet2DConditionModel under the names of the first Stable Diffusion release."""
    places = {**_PLAIN, **_down(config), **_up(config)}
    return {_renamed(name, places): value for name, value in state.items()}


def _down(config: Mapping[str, Any]) -> dict[str, str]:
    found, at = {}, 0
    kinds = config["down_block_types"]
    for i in range(len(kinds)):
        for j in range(config["layers_per_block"]):
            at += 1
            found[f"down_blocks.{i}.resnets.{j}"] = f"input_blocks.{at}.0"
            found[f"down_blocks.{i}.attentions.{j}"] = f"input_blocks.{at}.1"
        if i < len(kinds) - 1:
            at += 1
            found[f"down_blocks.{i}.downsamplers.0.conv"] = f"input_blocks.{at}.0.op"
    return found


def _up(config: Mapping[str, Any]) -> dict[str, str]:
    found, at = {}, 0
    kinds = config["up_block_types"]
    for i, kind in enumerate(kinds):
        for j in range(config["layers_per_block"] + 1):
            found[f"up_blocks.{i}.resnets.{j}"] = f"output_blocks.{at}.0"
            found[f"up_blocks.{i}.attentions.{j}"] = f"output_blocks.{at}.1"
            if j == config["layers_per_block"] and i < len(kinds) - 1:
                slot = 2 if kind.startswith("CrossAttn") else 1
                found[f"up_blocks.{i}.upsamplers.0.conv"] = f"output_blocks.{at}.{slot}.conv"
            at += 1
    return found


def _renamed(name: str, places: Mapping[str, str]) -> str:
    for old in sorted(places, key=len, reverse=True):
        if name.startswith(old + "."):
            rest = name.removeprefix(old)
            if "resnets" in old:
                for part, new in _RESNET.items():
                    rest = re.sub(rf"^\.{part}\.", f".{new}.", rest)
            return places[old] + rest
    raise KeyError(name)


def vae(state: Mapping[str, Any], blocks: int) -> dict[str, Any]:
    """An AutoencoderKL under the names of the first Stable Diffusion release."""
    found = {}
    for name, value in state.items():
        new = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        new = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", new)
        new = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(
            r"up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)",
            lambda m: f"up.{blocks - 1 - int(m[1])}." + (f"block.{m[3]}" if m[2] == "resnets" else "upsample"), new,
        )  # fmt: skip
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", new)
        if "mid_block.attentions.0" in new:
            new = new.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm")
            for old, short in {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}.items():
                new = new.replace(f".{old}.", f".{short}.")
            if not new.endswith(("norm.weight", "bias")):
                value = value[:, :, None, None]
        found[new] = value
    return found


def open_clip(state: Mapping[str, Any]) -> dict[str, Any]:
    """A CLIPTextModelWithProjection under open_clip's names."""
    names = {
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "embeddings.position_embedding.weight": "positional_embedding", "final_layer_norm.": "ln_final.",
        "encoder.layers.": "transformer.resblocks.", ".layer_norm1.": ".ln_1.", ".layer_norm2.": ".ln_2.",
        ".mlp.fc1.": ".mlp.c_fc.", ".mlp.fc2.": ".mlp.c_proj.", ".self_attn.out_proj.": ".attn.out_proj.",
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, value in state.items():
        new = name.removeprefix("text_model.")
        if new == "text_projection.weight":
            found["text_projection"] = value.T.contiguous()
            continue
        for old, short in names.items():
            new = new.replace(old, short)
        if ".self_attn." in new:
            kind = new.rsplit(".", 1)[1]
            if ".q_proj." in new:
                stem = name.removesuffix(f"q_proj.{kind}")
                parts = [state[f"{stem}{part}_proj.{kind}"] for part in "qkv"]
                found[new.split(".self_attn.")[0] + f".attn.in_proj_{kind}"] = torch.cat(parts)
            continue
        found[new] = value
    return found


def flux(state: Mapping[str, Any]) -> dict[str, Any]:
    """A FluxTransformer2DModel under the names of Black Forest Labs' release."""
    found: dict[str, Any] = {}
    for name, value in state.items():
        if name.startswith("norm_out.linear"):
            scale, shift = value.chunk(2)
            found[name.replace("norm_out.linear", "final_layer.adaLN_modulation.1")] = torch.cat([shift, scale])
        elif not re.search(r"\.(to_k|to_v|add_k_proj|add_v_proj|proj_mlp)\.", name):
            found[_flux_name(name)] = _flux_value(name, value, state)
    return found


def _flux_value(name: str, value: Any, state: Mapping[str, Any]) -> Any:
    if ".to_q." in name:
        parts = [value, state[name.replace("to_q", "to_k")], state[name.replace("to_q", "to_v")]]
        if name.startswith("single"):
            parts.append(state[name.replace("attn.to_q", "proj_mlp")])
        return torch.cat(parts)
    if ".add_q_proj." in name:
        return torch.cat([value, *(state[name.replace("add_q", f"add_{part}")] for part in "kv")])
    return value


_FLUX = {
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "context_embedder": "txt_in", "x_embedder": "img_in", "proj_out": "final_layer.linear",
}  # fmt: skip
_DOUBLE = {
    "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "attn.to_q": "img_attn.qkv",
    "attn.add_q_proj": "txt_attn.qkv", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2", "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm", "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm", "attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj",
}  # fmt: skip
_SINGLE = {
    "norm.linear": "modulation.lin", "attn.to_q": "linear1", "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm", "proj_out": "linear2",
}  # fmt: skip


def _flux_name(name: str) -> str:
    block = re.match(r"(single_)?transformer_blocks\.(\d+)\.(.+)\.(weight|bias)$", name)
    if block is None:
        stem, kind = name.rsplit(".", 1)
        return f"{_FLUX[stem]}.{kind}"
    short = _SINGLE[block[3]] if block[1] else _DOUBLE[block[3]]
    kind = "scale" if short.endswith("_norm") else block[4]
    return f"{'single' if block[1] else 'double'}_blocks.{block[2]}.{short}.{kind}"


def prefixed(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + name: value for name, value in state.items()}


def text_model(state: Mapping[str, Any]) -> dict[str, Any]:
    """A CLIP-L under the names of older transformers, as checkpoints hold it."""
    return {f"text_model.{name.removeprefix('text_model.')}": value for name, value in state.items()}


def sd15(pipe: Any) -> dict[str, Any]:
    """A whole SD1.5 checkpoint."""
    return {
        **prefixed(unet(pipe.unet.state_dict(), pipe.unet.config), "model.diffusion_model."),
        **prefixed(vae(pipe.vae.state_dict(), len(pipe.vae.config.block_out_channels)), "first_stage_model."),
        **prefixed(text_model(pipe.text_encoder.state_dict()), "cond_stage_model.transformer."),
    }


def sdxl(pipe: Any) -> dict[str, Any]:
    """A whole SDXL checkpoint."""
    return {
        **prefixed(unet(pipe.unet.state_dict(), pipe.unet.config), "model.diffusion_model."),
        **prefixed(vae(pipe.vae.state_dict(), len(pipe.vae.config.block_out_channels)), "first_stage_model."),
        **prefixed(text_model(pipe.text_encoder.state_dict()), "conditioner.embedders.0.transformer."),
        **prefixed(open_clip(pipe.text_encoder_2.state_dict()), "conditioner.embedders.1.model."),
    }


_HINTS = {"controlnet_cond_embedding.conv_in": "input_hint_block.0", "controlnet_mid_block": "middle_block_out.0",
          "controlnet_cond_embedding.conv_out": "input_hint_block.14"}  # fmt: skip


def control(state: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """A ControlNetModel under the names of the first ControlNet release."""
    count = len({name.split(".")[1] for name in state if name.startswith("controlnet_down_blocks.")})
    places = {**_PLAIN, **_down(config), **_HINTS}
    places |= {f"controlnet_down_blocks.{i}": f"zero_convs.{i}.0" for i in range(count)}
    places |= {f"controlnet_cond_embedding.blocks.{i}": f"input_hint_block.{2 * i + 2}" for i in range(8)}
    return {f"control_model.{_renamed(name, places)}": value for name, value in state.items()}


_SD3 = {
    "pos_embed.pos_embed": "pos_embed", "pos_embed.proj": "x_embedder.proj",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2", "proj_out": "final_layer.linear",
}  # fmt: skip
_JOINT = {
    "norm1.linear": "x_block.adaLN_modulation.1", "norm1_context.linear": "context_block.adaLN_modulation.1",
    "attn.to_q": "x_block.attn.qkv", "attn.add_q_proj": "context_block.attn.qkv", "attn.to_out.0": "x_block.attn.proj",
    "attn.to_add_out": "context_block.attn.proj", "ff.net.0.proj": "x_block.mlp.fc1", "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1", "ff_context.net.2": "context_block.mlp.fc2",
    "attn2.to_q": "x_block.attn2.qkv", "attn2.to_out.0": "x_block.attn2.proj", "attn.norm_q": "x_block.attn.ln_q",
    "attn.norm_k": "x_block.attn.ln_k", "attn.norm_added_q": "context_block.attn.ln_q",
    "attn.norm_added_k": "context_block.attn.ln_k", "attn2.norm_q": "x_block.attn2.ln_q",
    "attn2.norm_k": "x_block.attn2.ln_k",
}  # fmt: skip


def sd3_transformer(state: Mapping[str, Any]) -> dict[str, Any]:
    """An SD3Transformer2DModel under the names of Stability's release."""
    last = max(int(name.split(".")[1]) for name in state if name.startswith("transformer_blocks."))
    found = {}
    for name, value in state.items():
        if re.search(r"\.(to_k|to_v|add_k_proj|add_v_proj)\.", name):
            continue
        if ".to_q." in name or ".add_q_proj." in name:
            value = torch.cat([state[re.sub(r"(to_|add_)q", rf"\g<1>{part}", name)] for part in "qkv"])
        if name.startswith(("norm_out", f"transformer_blocks.{last}.norm1_context")):
            value = torch.cat(list(reversed(value.chunk(2))))
        found[_sd3_name(name)] = value
    return found


def _sd3_name(name: str) -> str:
    if name in _SD3:
        return _SD3[name]
    stem, kind = name.rsplit(".", 1)
    block = re.match(r"transformer_blocks\.(\d+)\.(.+)", stem)
    if block is not None:
        return f"joint_blocks.{block[1]}.{_JOINT[block[2]]}.{kind}"
    return f"{_SD3.get(stem, stem).replace('norm_out.linear', 'final_layer.adaLN_modulation.1')}.{kind}"


def sd3(pipe: Any) -> dict[str, Any]:
    """A whole SD3 checkpoint with its three text encoders."""
    vision = vae(pipe.vae.state_dict(), len(pipe.vae.config.block_out_channels))
    texts = {"clip_l": pipe.text_encoder, "clip_g": pipe.text_encoder_2, "t5xxl": pipe.text_encoder_3}
    found = {
        **prefixed(sd3_transformer(pipe.transformer.state_dict()), "model.diffusion_model."),
        **prefixed(vision, "first_stage_model."),
    }
    for role, model in texts.items():
        state = model.state_dict()
        found |= prefixed(state if role == "t5xxl" else _clip(state), f"text_encoders.{role}.transformer.")
    return found


def _clip(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name if name.startswith(("text_model.", "text_projection")) else f"text_model.{name}": value
            for name, value in state.items()}  # fmt: skip
