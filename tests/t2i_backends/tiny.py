"""Tiny random pipelines of every family: 16 x 16 pixels or so, always the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxControlNetModel,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3ControlNetModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

WORDS = "a two red blue green circle square star heart cat dog on white and the".split()
LENGTH = 12
STOCK = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}


def word_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", model_max_length=LENGTH
    )


def clip(kind: Any = CLIPTextModel, width: int = 32) -> Any:
    return kind(CLIPTextConfig(
        hidden_size=width, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4, vocab_size=64,
        max_position_embeddings=LENGTH, projection_dim=32, eos_token_id=1, pad_token_id=0, bos_token_id=1,
    )).eval()  # fmt: skip


def t5(width: int = 32) -> T5EncoderModel:
    return T5EncoderModel(T5Config(vocab_size=64, d_model=width, d_kv=8, d_ff=37, num_layers=2, num_heads=4)).eval()


def vae(channels: int = 4, shift: float | None = 0.06, quant: bool = False) -> AutoencoderKL:
    """2 pixels a latent cell."""
    return AutoencoderKL(
        sample_size=16, block_out_channels=(4, 4), layers_per_block=1, latent_channels=channels, norm_num_groups=1,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        use_quant_conv=quant, use_post_quant_conv=quant, shift_factor=shift, scaling_factor=1.5,
    ).eval()  # fmt: skip


def flux_net(guidance: bool = False) -> FluxTransformer2DModel:
    return FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=guidance,
    ).eval()  # fmt: skip


def flux(guidance: bool = False, **scheduler: Any) -> FluxPipeline:
    torch.manual_seed(0)
    net, coder, text, second = flux_net(guidance), vae(), clip(), t5()
    return FluxPipeline(
        FlowMatchEulerDiscreteScheduler(**scheduler), coder, text, word_tokenizer(), second, word_tokenizer(), net
    )


def sd3_net() -> SD3Transformer2DModel:
    return SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=4,
        caption_projection_dim=32, joint_attention_dim=64, pooled_projection_dim=64, out_channels=4,
        pos_embed_max_size=16,
    ).eval()  # fmt: skip


def sd3() -> StableDiffusion3Pipeline:
    torch.manual_seed(1)
    one, two = clip(CLIPTextModelWithProjection), clip(CLIPTextModelWithProjection)
    torch.nn.init.eye_(one.text_projection.weight)  # as the published pipelines have it: their files hold none
    return StableDiffusion3Pipeline(
        sd3_net(), FlowMatchEulerDiscreteScheduler(shift=3.0), vae(), one, word_tokenizer(), two, word_tokenizer(),
        t5(64), word_tokenizer(),
    )  # fmt: skip


def unet(width: int, **more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        norm_num_groups=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=width, attention_head_dim=4, **more,
    ).eval()  # fmt: skip


def sdxl_unet(numbers: int = 6, width: int = 64) -> UNet2DConditionModel:
    return unet(
        width, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=32 + 8 * numbers, use_linear_projection=True,
    )  # fmt: skip


def euler(**more: Any) -> EulerDiscreteScheduler:
    return EulerDiscreteScheduler(**{**STOCK, "timestep_spacing": "leading", **more})


def sd15(**scheduler: Any) -> StableDiffusionPipeline:
    torch.manual_seed(2)
    return StableDiffusionPipeline(
        vae(shift=None, quant=True), clip(), word_tokenizer(), unet(32), euler(**scheduler), None, None,
        requires_safety_checker=False,
    )  # fmt: skip


def sdxl() -> StableDiffusionXLPipeline:
    torch.manual_seed(3)
    two = clip(CLIPTextModelWithProjection)
    return StableDiffusionXLPipeline(
        vae(shift=None, quant=True), clip(), two, word_tokenizer(), word_tokenizer(), sdxl_unet(), euler(),
        add_watermarker=False,
    )  # fmt: skip


def refiner() -> StableDiffusionXLImg2ImgPipeline:
    torch.manual_seed(4)
    two = clip(CLIPTextModelWithProjection)
    return StableDiffusionXLImg2ImgPipeline(
        vae(shift=None, quant=True), None, two, None, word_tokenizer(), sdxl_unet(5, 32), euler(),
        requires_aesthetics_score=True, add_watermarker=False,
    )  # fmt: skip


BUILD: Mapping[str, Callable[[], Any]] = {
    "flux": lambda: flux(shift=3.0), "sd3": sd3, "sdxl": sdxl, "sd15": sd15, "sdxl-refiner": refiner,
}  # fmt: skip
"""A checkpoint of each family."""


def scrambled(model: Any) -> Any:
    """ControlNets start with zeros at their ends; give them something to say."""
    for parameter in model.parameters():
        if not parameter.abs().sum():
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def control(family: str) -> Any:
    torch.manual_seed(5)
    if family == "flux":
        config = {key: value for key, value in flux_net().config.items() if not key.startswith("_")}
        config.pop("out_channels", None)
        return scrambled(FluxControlNetModel(**config))
    if family == "sd3":
        return scrambled(SD3ControlNetModel(
            sample_size=8, patch_size=2, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=4,
            caption_projection_dim=32, joint_attention_dim=64, pooled_projection_dim=64, out_channels=4,
            pos_embed_max_size=16,
        ))  # fmt: skip
    like = unet(32) if family == "sd15" else sdxl_unet()
    return scrambled(ControlNetModel.from_unet(like, conditioning_embedding_out_channels=(4, 8)))


def save_all(root: Path) -> None:
    """Every family below ``root``, as a person's model folder holds them."""
    for name, build in BUILD.items():
        build().save_pretrained(root / "checkpoints" / name)
    for name in ("flux", "sd3", "sdxl", "sd15"):
        control(name).save_pretrained(root / "controlnet" / name)
