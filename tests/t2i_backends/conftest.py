"""A tiny random FLUX pipeline on disk, flows over it, and a backend that loads it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

from imagewright.ports import Drawn, Job
from imagewright.retrieval.comfy.slots import find_slots
from imagewright.schemas import Card, Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.handles import Latent

WORDS = (
    "a",
    "two",
    "red",
    "blue",
    "green",
    "circle",
    "square",
    "star",
    "heart",
    "cat",
    "dog",
    "on",
    "white",
    "and",
    "the",
)
LENGTH = 12


def word_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", model_max_length=LENGTH
    )


def tiny_pipeline(guidance: bool = False, **scheduler: Any) -> FluxPipeline:
    """16 x 16 pixel pictures: 2 pixels a latent cell, 16 image tokens; random weights, always the same ones."""
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=guidance,
    )  # fmt: skip
    vae = AutoencoderKL(
        sample_size=16, block_out_channels=(4, 4), layers_per_block=1, latent_channels=4, norm_num_groups=1,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5,
    )  # fmt: skip
    clip = CLIPTextModel(CLIPTextConfig(
        hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4, vocab_size=64,
        max_position_embeddings=LENGTH, projection_dim=32, eos_token_id=1, pad_token_id=0, bos_token_id=1,
    ))  # fmt: skip
    t5 = T5EncoderModel(T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4))
    return FluxPipeline(
        FlowMatchEulerDiscreteScheduler(**scheduler), vae, clip, word_tokenizer(), t5, word_tokenizer(), transformer
    )


@pytest.fixture(scope="session")
def model_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``checkpoints/``: tiny (static shift 3), dynamic (dynamic shift), dev (dynamic, guidance embedded)."""
    root = tmp_path_factory.mktemp("models")
    tiny_pipeline(shift=3.0).save_pretrained(root / "checkpoints" / "tiny")
    dynamic = {"use_dynamic_shifting": True, "base_image_seq_len": 4, "max_image_seq_len": 64}
    tiny_pipeline(**dynamic).save_pretrained(root / "checkpoints" / "dynamic")
    tiny_pipeline(guidance=True, **dynamic).save_pretrained(root / "checkpoints" / "dev")
    return root


@pytest.fixture
def backend(model_root: Path) -> DiffusersBackend:
    return DiffusersBackend([model_root], device="cpu")


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


GRAPH: dict[str, dict[str, Any]] = {
    "ckpt": node("CheckpointLoaderSimple", ckpt_name="tiny"),
    "pos": node("CLIPTextEncode", text="a red circle", clip=["ckpt", 1]),
    "neg": node("CLIPTextEncode", text="", clip=["ckpt", 1]),
    "size": node("EmptySD3LatentImage", width=16, height=16, batch_size=1),
    "ks": node("KSampler", model=["ckpt", 0], seed=7, steps=4, cfg=1.0, sampler_name="euler", scheduler="simple",
               positive=["pos", 0], negative=["neg", 0], latent_image=["size", 0], denoise=1.0),
    "dec": node("VAEDecode", samples=["ks", 0], vae=["ckpt", 2]),
    "out": node("SaveImage", images=["dec", 0], filename_prefix="x"),
}  # fmt: skip


def _flow(family: str = "flux", kind: Any = "text-to-image", drop: tuple[str, ...] = (), **changes: Any) -> Flow:
    """The plain flow with some inputs changed: ``ks_steps=2`` sets ``steps`` of node ``ks``."""
    graph = copy.deepcopy(GRAPH)
    for name, value in changes.items():
        target, _, key = name.partition("_")
        graph[target]["inputs"][key] = value
    for target in drop:
        del graph[target]
    card = Card(title="plain", family=family, kind=kind, slots=dict(find_slots(graph)))
    return Flow(id="plain", graph=graph, card=card)


@pytest.fixture(scope="session")
def make_flow() -> Callable[..., Flow]:
    return _flow


@pytest.fixture(scope="session")
def make_job() -> Callable[..., Job]:
    def make(flow: Flow | None = None, prompt: str = "a red circle", **fields: Any) -> Job:
        return Job(_flow() if flow is None else flow, prompt, **{"seed": 7, **fields})

    return make


@pytest.fixture
def draw(backend: DiffusersBackend) -> Callable[[Job], Drawn]:
    """Draws a job that nobody watches."""
    return lambda job: backend.draw(job, lambda step: None, lambda: False)


@pytest.fixture
def latents_of(backend: DiffusersBackend, draw: Callable[[Job], Drawn]) -> Callable[[Job], torch.Tensor]:
    """The sampler's latents of a job, ``(1, C, h, w)``, from the node cache."""

    def find(job: Job) -> torch.Tensor:
        draw(job)
        results = [entry[0][0] for entry in backend._cache._kept.values() if isinstance(entry, tuple)]
        return [r.samples for r in results if isinstance(r, Latent) and r.samples is not None][-1]

    return find
