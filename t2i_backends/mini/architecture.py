"""Mini's parts: tokenizers, two text encoders, a FLUX transformer. Standard classes, so stock diffusers loads it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

from imagewright.t2i_backends.mini import card
from imagewright.t2i_backends.mini.world import vocabulary

MAX_LENGTH = 24
"""Tokens of a prompt, with its start and end; training and the model card use this length and padding."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Lower-case words of mini's world; everything else is ``<unk>``.

    ``</s>`` has the highest id: CLIP's pooled vector is the state at the end token, and transformers finds that
    token by the highest id where the config says ``eos_token_id`` 2 (a rule kept for old checkpoints). With the
    end token elsewhere the pooled vector would stop at a word in the middle of the prompt.
    """
    words = ("<pad>", "<s>", "<unk>", *vocabulary(), "</s>")
    vocab = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"[^\w\s,]"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocab["<s>"]), ("</s>", vocab["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=MAX_LENGTH, padding_side="right",
        pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
    )  # fmt: skip


def build_text_encoders(tokenizer: PreTrainedTokenizerFast) -> tuple[CLIPTextModel, T5EncoderModel]:
    """A one-layer CLIP text model for the pooled vector and a two-layer T5 encoder for the tokens."""
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=1,
            num_attention_heads=2, projection_dim=64, max_position_embeddings=MAX_LENGTH,
            pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer), d_model=128, d_kv=32, num_heads=4, d_ff=256, num_layers=2, dropout_rate=0.0,
            feed_forward_proj="gated-gelu", relative_attention_num_buckets=16, relative_attention_max_distance=24,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    return clip, t5


def build_transformer() -> FluxTransformer2DModel:
    """A FluxTransformer2DModel of width 192 with 3 double and 4 single blocks; no guidance embedding."""
    return FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=3, num_single_layers=4, attention_head_dim=32,
        num_attention_heads=6, joint_attention_dim=128, pooled_projection_dim=64, guidance_embeds=False,
        axes_dims_rope=(8, 12, 12),
    )  # fmt: skip


def build_pipeline(autoencoder: AutoencoderKL) -> FluxPipeline:
    """An untrained pipeline around a trained autoencoder."""
    tokenizer = build_tokenizer()
    clip, t5 = build_text_encoders(tokenizer)
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0, use_dynamic_shifting=False),
        vae=autoencoder, text_encoder=clip, tokenizer=tokenizer, text_encoder_2=t5, tokenizer_2=tokenizer,
        transformer=build_transformer(),
    )  # fmt: skip


@torch.no_grad()
def adopt(pipeline: FluxPipeline, earlier: FluxPipeline) -> None:
    """Give ``pipeline`` the weights of ``earlier``; embedding rows go by word, and new words keep their random rows."""
    pipeline.transformer.load_state_dict(earlier.transformer.state_dict())
    before, now = earlier.tokenizer.get_vocab(), pipeline.tokenizer.get_vocab()
    shared = [word for word in now if word in before]
    for part in ("text_encoder", "text_encoder_2"):
        old, new = getattr(earlier, part), getattr(pipeline, part)
        table = new.get_input_embeddings().weight.clone()
        table[[now[w] for w in shared]] = old.get_input_embeddings().weight[[before[w] for w in shared]].to(table.dtype)
        tables = {name for name, value in new.state_dict().items() if value.shape == table.shape}
        rest = {name: value for name, value in old.state_dict().items() if name not in tables}
        new.load_state_dict(rest, strict=False)
        new.get_input_embeddings().weight.copy_(table)


def export(pipeline: FluxPipeline, folder: Path) -> None:
    """Save ``pipeline`` as bf16 safetensors in the standard diffusers layout, with its card.

    transformers loads a model in the type that its config names and diffusers in float32, so the text encoders'
    configs say float32: a plain ``from_pretrained(folder)`` then gives one type throughout.
    """
    pipeline.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    for part in ("text_encoder", "text_encoder_2"):
        config = folder / part / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "dtype": "float32"}, indent=2), "utf-8")
    card.write(folder, MAX_LENGTH)
