"""The weights that a model with a given config has, by name and shape, as diffusers and transformers name them.

Worked out from the config alone, so that a check finds what a file lacks without importing torch; tests compare it with
the libraries' own models. A config with a part that is not known here is not judged: ``list_weights`` gives None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagewright.t2i_backends.models.expected_transformers import (
    list_flux,
    list_flux_control,
    list_sd3,
    list_sd3_control,
)
from imagewright.t2i_backends.models.weight_lists import Config, Unusual, WeightList, Weights


def list_weights(config: Config, kind: str = "") -> Weights | None:
    """The weights of a model with this config; ``kind`` is the class where the config says none.

    None for a class, or a part of one, that is not known here.
    """
    name = kind or str(config.get("_class_name", ""))
    try:
        return _BUILDERS[name](config) if name in _BUILDERS else None
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None


def find_config_fault(config: Config, kind: str = "") -> str:
    """What is wrong with a config from which no list of weights follows; empty where it is only unusual."""
    name = kind or str(config.get("_class_name", ""))
    try:
        if name in _BUILDERS:
            _BUILDERS[name](config)
    except (Unusual, KeyError):
        return ""
    except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        return f"has a config that cannot be right ({str(error)[:80]}): download it again"
    return ""


# --- UNets ---


def _each(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value] * count


_PLAIN_UNET = {
    "class_embed_type": None, "encoder_hid_dim": None, "encoder_hid_dim_type": None,
    "time_embedding_type": "positional",
    "time_cond_proj_dim": None, "resnet_time_scale_shift": "default", "dual_cross_attention": False,
    "only_cross_attention": False, "num_class_embeds": None, "conv_in_kernel": 3, "conv_out_kernel": 3,
    "cross_attention_norm": None, "attention_type": "default", "time_embedding_dim": None, "num_attention_heads": None,
    "time_embedding_act_fn": None, "reverse_transformer_layers_per_block": None,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "resnet_skip_time_act": False, "addition_embed_type_num_heads": 64, "class_embeddings_concat": False,
}  # fmt: skip
"""What of a UNet's config must be as usual for it to be judged."""


def _insist(config: Config, usual: Config) -> None:
    if any(name in config and config[name] != value for name, value in usual.items()):
        raise Unusual("a part that is not known here")


def _transformer(made: WeightList, name: str, width: int, depth: int, config: Config) -> None:
    made.norm(f"{name}.norm", width=width)
    for end in ("proj_in", "proj_out"):
        if config.get("use_linear_projection"):
            made.linear(f"{name}.{end}", width, width)
        else:
            made.conv(f"{name}.{end}", width, width, 1)
    for k in range(depth):
        block = f"{name}.transformer_blocks.{k}"
        made.norm(f"{block}.norm1", f"{block}.norm2", f"{block}.norm3", width=width)
        made.attention(f"{block}.attn1", width, width)
        made.attention(f"{block}.attn2", width, int(config["cross_attention_dim"]))
        made.linear(f"{block}.ff.net.0.proj", 8 * width, width)
        made.linear(f"{block}.ff.net.2", width, 4 * width)


def _unet_start(config: Config, made: WeightList) -> tuple[list[int], list[int], list[int]]:
    """What UNets and their ControlNets share: the way down and the middle; widths, layers and depths of the blocks."""
    _insist(config, _PLAIN_UNET)
    widths = [int(width) for width in config["block_out_channels"]]
    count, time = len(widths), 4 * widths[0]
    layers = _each(config.get("layers_per_block", 2), count)
    depths = _each(config.get("transformer_layers_per_block", 1), count)
    kinds = config["down_block_types"]
    if not set(kinds) <= {"CrossAttnDownBlock2D", "DownBlock2D"} or any(isinstance(d, (list, tuple)) for d in depths):
        raise Unusual("a block that is not known here")
    made.conv("conv_in", widths[0], config["in_channels"])
    made.embedder("time_embedding", time, widths[0])
    if (added := config.get("addition_embed_type")) == "text_time":
        made.embedder("add_embedding", time, config["projection_class_embeddings_input_dim"])
    elif added is not None:
        raise Unusual("an embedding that is not known here")
    before = widths[0]
    for i, width in enumerate(widths):
        for j in range(layers[i]):
            made.resnet(f"down_blocks.{i}.resnets.{j}", width, before, time)
            before = width
            if kinds[i].startswith("Cross"):
                _transformer(made, f"down_blocks.{i}.attentions.{j}", width, depths[i], config)
        if i < count - 1:
            made.conv(f"down_blocks.{i}.downsamplers.0.conv", width, width)
    for j in range(2):
        made.resnet(f"mid_block.resnets.{j}", widths[-1], widths[-1], time)
    _transformer(made, "mid_block.attentions.0", widths[-1], depths[-1], config)
    return widths, layers, depths


def _unet(config: Config) -> Weights:
    made = WeightList()
    widths, layers, depths = _unet_start(config, made)
    count, time, kinds = len(widths), 4 * widths[0], config["up_block_types"]
    if not set(kinds) <= {"CrossAttnUpBlock2D", "UpBlock2D"}:
        raise Unusual("a block that is not known here")
    turned = widths[::-1]
    for i, width in enumerate(turned):
        before, skip = turned[max(i - 1, 0)], turned[min(i + 1, count - 1)]
        more = layers[::-1][i] + 1
        for j in range(more):
            into = (before if j == 0 else width) + (skip if j == more - 1 else width)
            made.resnet(f"up_blocks.{i}.resnets.{j}", width, into, time)
            if kinds[i].startswith("Cross"):
                _transformer(made, f"up_blocks.{i}.attentions.{j}", width, depths[::-1][i], config)
        if i < count - 1:
            made.conv(f"up_blocks.{i}.upsamplers.0.conv", width, width)
    made.norm("conv_norm_out", width=widths[0])
    made.conv("conv_out", config["out_channels"], widths[0])
    return made


def _control(config: Config) -> Weights:
    made = WeightList()
    widths, layers, _ = _unet_start(config, made)
    if (order := config.get("controlnet_conditioning_channel_order", "rgb")) not in ("rgb", "bgr"):
        raise ValueError(f"an order of colours {str(order)[:20]!r}")
    hints = [int(width) for width in config.get("conditioning_embedding_out_channels") or (16, 32, 96, 256)]
    made.hint_reader("controlnet_cond_embedding", config.get("conditioning_channels", 3), hints, widths[0])
    ends = [widths[0]]
    for i, width in enumerate(widths):
        ends += [width] * (layers[i] + (i < len(widths) - 1))
    for k, width in enumerate(ends):
        made.conv(f"controlnet_down_blocks.{k}", width, width, 1)
    made.conv("controlnet_mid_block", widths[-1], widths[-1], 1)
    return made


def _vae(config: Config) -> Weights:
    made = WeightList()
    if not set(config["down_block_types"]) | set(config["up_block_types"]) <= {
        "DownEncoderBlock2D",
        "UpDecoderBlock2D",
    }:
        raise Unusual("a block that is not known here")
    widths, layers = [int(width) for width in config["block_out_channels"]], int(config.get("layers_per_block", 1))
    latent, last = int(config.get("latent_channels", 4)), len(widths) - 1
    made.conv("encoder.conv_in", widths[0], config.get("in_channels", 3))
    made.conv("decoder.conv_in", widths[-1], latent)
    for i, width in enumerate(widths):
        for j in range(layers):
            made.resnet(f"encoder.down_blocks.{i}.resnets.{j}", width, widths[max(i - 1, 0)] if j == 0 else width)
        if i < last:
            made.conv(f"encoder.down_blocks.{i}.downsamplers.0.conv", width, width)
    turned = widths[::-1]
    for i, width in enumerate(turned):
        for j in range(layers + 1):
            made.resnet(f"decoder.up_blocks.{i}.resnets.{j}", width, turned[max(i - 1, 0)] if j == 0 else width)
        if i < last:
            made.conv(f"decoder.up_blocks.{i}.upsamplers.0.conv", width, width)
    for side in ("encoder", "decoder"):
        for j in range(2):
            made.resnet(f"{side}.mid_block.resnets.{j}", widths[-1], widths[-1])
        if config.get("mid_block_add_attention", True):
            made.norm(f"{side}.mid_block.attentions.0.group_norm", width=widths[-1])
            made.attention(f"{side}.mid_block.attentions.0", widths[-1], widths[-1], bias=True)
        made.norm(f"{side}.conv_norm_out", width=widths[0] if side == "decoder" else widths[-1])
    made.conv("encoder.conv_out", 2 * latent, widths[-1])
    made.conv("decoder.conv_out", config.get("out_channels", 3), widths[0])
    if config.get("use_quant_conv", True):
        made.conv("quant_conv", 2 * latent, 2 * latent, 1)
    if config.get("use_post_quant_conv", True):
        made.conv("post_quant_conv", latent, latent, 1)
    return made


# --- text encoders ---


def _clip(config: Config, projected: bool) -> Weights:
    made, width = WeightList(), int(config["hidden_size"])
    made["text_model.embeddings.token_embedding.weight"] = (config["vocab_size"], width)
    made["text_model.embeddings.position_embedding.weight"] = (config.get("max_position_embeddings", 77), width)
    for i in range(config["num_hidden_layers"]):
        layer = f"text_model.encoder.layers.{i}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            made.linear(f"{layer}.self_attn.{part}", width, width)
        made.norm(f"{layer}.layer_norm1", f"{layer}.layer_norm2", width=width)
        made.linear(f"{layer}.mlp.fc1", config["intermediate_size"], width)
        made.linear(f"{layer}.mlp.fc2", width, config["intermediate_size"])
    made.norm("text_model.final_layer_norm", width=width)
    if projected:
        made.linear("text_projection", config["projection_dim"], width, bias=False)
    return made


def _t5(config: Config) -> Weights:
    made, width, inner = WeightList(), int(config["d_model"]), int(config["num_heads"]) * int(config["d_kv"])
    gated = str(config.get("feed_forward_proj", "relu")).startswith("gated")
    made["shared.weight"] = (config["vocab_size"], width)
    for i in range(config["num_layers"]):
        block = f"encoder.block.{i}.layer"
        for part in "qkv":
            made.linear(f"{block}.0.SelfAttention.{part}", inner, width, bias=False)
        made.linear(f"{block}.0.SelfAttention.o", width, inner, bias=False)
        for part in ("wi_0", "wi_1") if gated else ("wi",):
            made.linear(f"{block}.1.DenseReluDense.{part}", config["d_ff"], width, bias=False)
        made.linear(f"{block}.1.DenseReluDense.wo", width, config["d_ff"], bias=False)
        made.norm(f"{block}.0.layer_norm", f"{block}.1.layer_norm", width=width, bias=False)
    table = (config.get("relative_attention_num_buckets", 32), config["num_heads"])
    made["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] = table
    made.norm("encoder.final_layer_norm", width=width, bias=False)
    return made


_BUILDERS: Mapping[str, Any] = {
    "UNet2DConditionModel": _unet, "ControlNetModel": _control, "AutoencoderKL": _vae,
    "FluxTransformer2DModel": list_flux, "SD3Transformer2DModel": list_sd3, "FluxControlNetModel": list_flux_control,
    "SD3ControlNetModel": list_sd3_control,
    "CLIPTextModel": lambda config: _clip(config, False),
    "CLIPTextModelWithProjection": lambda config: _clip(config, True), "T5EncoderModel": _t5,
}  # fmt: skip


def find_gap(held: Mapping[str, Sequence[int]], wanted: Weights) -> str:
    """The first of ``wanted`` that ``held`` lacks or has in another shape, in words; empty where all are there."""
    for name, shape in wanted.items():
        if name not in held:
            return f"lacks weights ({name[-80:]}): download the whole model"
        if tuple(held[name]) != tuple(shape):
            has = " x ".join(map(str, held[name])) or "one number"
            return f"holds {name[-80:]} as {has}, not {' x '.join(map(str, shape))}: use the config that belongs to it"
    return ""
