"""The weights of FLUX's and SD3's transformers and of their ControlNets, worked out from their configs."""

from __future__ import annotations

from imagewright.t2i_backends.models.weight_lists import Config, Unusual, WeightList, Weights


def _feed(made: WeightList, name: str, width: int) -> None:
    made.linear(f"{name}.net.0.proj", 4 * width, width)
    made.linear(f"{name}.net.2", width, 4 * width)


def _joint_attention(made: WeightList, name: str, width: int, head: int, last: bool, norms: bool) -> None:
    made.attention(name, width, width, bias=True)
    for part in ("add_q_proj", "add_k_proj", "add_v_proj", *(() if last else ("to_add_out",))):
        made.linear(f"{name}.{part}", width, width)
    if norms:
        parts = ("norm_q", "norm_k", "norm_added_q", "norm_added_k")
        made.norm(*(f"{name}.{part}" for part in parts), width=head, bias=False)


def _flux_start(config: Config, made: WeightList) -> tuple[int, int]:
    """What FLUX and its ControlNets share: how the inputs are read, and the blocks; the width and the channels."""
    head = int(config.get("attention_head_dim", 128))
    width, into = head * int(config.get("num_attention_heads", 24)), int(config.get("in_channels", 64))
    made.linear("x_embedder", width, into)
    made.linear("context_embedder", width, config.get("joint_attention_dim", 4096))
    made.embedder("time_text_embed.timestep_embedder", width, 256)
    made.embedder("time_text_embed.text_embedder", width, config.get("pooled_projection_dim", 768))
    if config.get("guidance_embeds"):
        made.embedder("time_text_embed.guidance_embedder", width, 256)
    for i in range(config.get("num_layers", 19)):
        block = f"transformer_blocks.{i}"
        made.linear(f"{block}.norm1.linear", 6 * width, width)
        made.linear(f"{block}.norm1_context.linear", 6 * width, width)
        _joint_attention(made, f"{block}.attn", width, head, last=False, norms=True)
        _feed(made, f"{block}.ff", width)
        _feed(made, f"{block}.ff_context", width)
    for i in range(config.get("num_single_layers", 38)):
        block = f"single_transformer_blocks.{i}"
        made.linear(f"{block}.norm.linear", 3 * width, width)
        made.linear(f"{block}.proj_mlp", 4 * width, width)
        made.linear(f"{block}.proj_out", width, 5 * width)
        for part in "qkv":
            made.linear(f"{block}.attn.to_{part}", width, width)
        made.norm(f"{block}.attn.norm_q", f"{block}.attn.norm_k", width=head, bias=False)
    return width, into


def list_flux(config: Config) -> Weights:
    """FLUX's transformer."""
    made = WeightList()
    width, into = _flux_start(config, made)
    made.linear("norm_out.linear", 2 * width, width)
    patch = int(config.get("patch_size", 1))
    made.linear("proj_out", patch * patch * int(config.get("out_channels") or into), width)
    return made


def list_flux_control(config: Config) -> Weights:
    """A FLUX ControlNet."""
    made = WeightList()
    width, into = _flux_start(config, made)
    for name, count in (
        ("blocks", config.get("num_layers", 19)),
        ("single_blocks", config.get("num_single_layers", 38)),
    ):
        for i in range(count):
            made.linear(f"controlnet_{name}.{i}", width, width)
    if config.get("num_mode") is not None:
        made["controlnet_mode_embedder.weight"] = (config["num_mode"], width)
    if (pixels := config.get("conditioning_embedding_channels")) is not None:
        made.hint_reader("input_hint_block", 3, (16, 16, 16, 16), pixels)
    made.linear("controlnet_x_embedder", width, into)
    return made


def _sd3_start(config: Config, made: WeightList) -> tuple[int, int, int]:
    """How SD3 and its ControlNets read time and pooled text; the width, that of a head, and the cells of a patch."""
    head, patch = int(config["attention_head_dim"]), int(config.get("patch_size", 2))
    width = head * int(config["num_attention_heads"])
    made.embedder("time_text_embed.timestep_embedder", width, 256)
    made.embedder("time_text_embed.text_embedder", width, config["pooled_projection_dim"])
    return width, head, patch


def _sd3_blocks(config: Config, made: WeightList, width: int, head: int, last: int) -> None:
    """The joint blocks, of which the one numbered ``last`` leaves the text where it is."""
    twice, norms = set(config.get("dual_attention_layers") or ()), config.get("qk_norm")
    if norms not in (None, "rms_norm") or config["caption_projection_dim"] != width:
        raise Unusual("a part that is not known here")
    made.linear("context_embedder", config["caption_projection_dim"], config["joint_attention_dim"])
    for i in range(int(config["num_layers"])):
        block = f"transformer_blocks.{i}"
        made.linear(f"{block}.norm1.linear", (9 if i in twice else 6) * width, width)
        made.linear(f"{block}.norm1_context.linear", (2 if i == last else 6) * width, width)
        _joint_attention(made, f"{block}.attn", width, head, i == last, norms is not None)
        if i in twice:
            made.attention(f"{block}.attn2", width, width, bias=True)
            if norms:
                made.norm(f"{block}.attn2.norm_q", f"{block}.attn2.norm_k", width=head, bias=False)
        _feed(made, f"{block}.ff", width)
        if i != last:
            _feed(made, f"{block}.ff_context", width)


def list_sd3(config: Config) -> Weights:
    """SD3's transformer."""
    made = WeightList()
    width, head, patch = _sd3_start(config, made)
    made.conv("pos_embed.proj", width, int(config.get("in_channels", 16)), patch)
    made["pos_embed.pos_embed"] = (1, int(config.get("pos_embed_max_size", 96)) ** 2, width)
    _sd3_blocks(config, made, width, head, last=int(config["num_layers"]) - 1)
    made.linear("norm_out.linear", 2 * width, width)
    made.linear("proj_out", patch * patch * int(config.get("out_channels", 16)), width)
    return made


def list_sd3_control(config: Config) -> Weights:
    """An SD3 ControlNet."""
    made = WeightList()
    width, head, patch = _sd3_start(config, made)
    into = int(config.get("in_channels", 16))
    if config.get("use_pos_embed", True):
        made.conv("pos_embed.proj", width, into, patch)
        if config.get("pos_embed_type", "sincos") is not None:
            made["pos_embed.pos_embed"] = (1, int(config.get("pos_embed_max_size", 96)) ** 2, width)
    if config.get("joint_attention_dim", 4096) is not None:
        _sd3_blocks(config, made, width, head, last=-1)
    else:
        for i in range(int(config["num_layers"])):
            made.linear(f"transformer_blocks.{i}.norm1.linear", 6 * width, width)
            made.attention(f"transformer_blocks.{i}.attn", width, width, bias=True)
            _feed(made, f"transformer_blocks.{i}.ff", width)
    for i in range(int(config["num_layers"])):
        made.linear(f"controlnet_blocks.{i}", width, width)
    made.conv("pos_embed_input.proj", width, into + int(config.get("extra_conditioning_channels", 0)), patch)
    return made
