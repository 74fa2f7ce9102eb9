"""Mini's parts: tokenizers, two text encoders, a FLUX transformer. Standard classes, so stock diffusers loads it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

from imagewright.t2i_backends.mini import card, sizes
from imagewright.t2i_backends.mini.captions import vocabulary

HEAD = 32
"""The width of an attention head, in the transformer and in the text encoders."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Lower-case words of mini's world; everything else is ``<unk>``. Prompts are padded to ``PROMPT_TOKENS``.

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
        tokenizer_object=tokenizer,
        model_max_length=sizes.PROMPT_TOKENS,
        padding_side="right",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def build_text_encoders(tokenizer: PreTrainedTokenizerFast) -> tuple[CLIPTextModel, T5EncoderModel]:
    """A one-layer CLIP text model for the pooled vector and a two-layer T5 encoder for the tokens."""
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=sizes.POOLED_WIDTH,
            intermediate_size=2 * sizes.POOLED_WIDTH,
            num_hidden_layers=1,
            num_attention_heads=sizes.POOLED_WIDTH // HEAD,
            projection_dim=sizes.POOLED_WIDTH,
            max_position_embeddings=sizes.PROMPT_TOKENS,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=128,
            d_kv=HEAD,
            num_heads=4,
            d_ff=256,
            num_layers=2,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            relative_attention_num_buckets=16,
            relative_attention_max_distance=24,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )
    )
    # Word order reaches T5 through this bias alone. At its usual width (0.09) none of 120 steps told the first of two
    # nouns from the second; at 1 twenty were enough.
    torch.nn.init.normal_(t5.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight)
    return clip, t5


def build_transformer() -> FluxTransformer2DModel:
    """A FluxTransformer2DModel of width 192 with the blocks of ``sizes.py``; no guidance embedding.

    Every block begins as the identity and the output as zero (Peebles & Xie 2023, arXiv:2212.09748, "adaLN-Zero").
    """
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * sizes.LATENT_CHANNELS,
        num_layers=sizes.DOUBLE_BLOCKS,
        num_single_layers=sizes.SINGLE_BLOCKS,
        attention_head_dim=HEAD,
        num_attention_heads=6,
        joint_attention_dim=128,
        pooled_projection_dim=sizes.POOLED_WIDTH,
        guidance_embeds=False,
        axes_dims_rope=(8, 12, 12),
    )
    for name, parameter in transformer.named_parameters():
        if name.startswith("proj_out") or ("norm" in name and ".linear." in name):
            torch.nn.init.zeros_(parameter)
    return transformer


def build_pipeline(autoencoder: AutoencoderKL) -> FluxPipeline:
    """An untrained pipeline around a trained autoencoder."""
    tokenizer = build_tokenizer()
    clip, t5 = build_text_encoders(tokenizer)
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0, use_dynamic_shifting=False),
        vae=autoencoder,
        text_encoder=clip,
        tokenizer=tokenizer,
        text_encoder_2=t5,
        tokenizer_2=tokenizer,
        transformer=build_transformer(),
    )


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


def export_pipeline(pipeline: FluxPipeline, folder: Path) -> None:
    """Save ``pipeline`` as bf16 safetensors in the standard diffusers layout, with its card.

    transformers loads a model in the type that its config names and diffusers in float32, so the text encoders'
    configs say float32: a plain ``from_pretrained(folder)`` then gives one type throughout.
    """
    pipeline.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    for part in ("text_encoder", "text_encoder_2"):
        config = folder / part / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "dtype": "float32"}, indent=2), "utf-8")
    card.write(folder)
