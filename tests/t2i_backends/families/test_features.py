"""Every feature on every family: the cells of the table in docs/executor.md."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from imagewright.ports import Redraw
from imagewright.schemas import Region
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.models.loading import load_vae
from imagewright.t2i_backends.models.model_files import ModelFiles
from imagewright.t2i_backends.pictures.pixels import encode_picture

DOC = Path(__file__).parents[3] / "docs" / "executor.md"
Graph = dict[str, dict[str, Any]]


def with_picture(studio: Any, graph: Graph, name: str) -> Graph:
    """Start from a picture, keeping the left half."""
    graph["load"] = studio.node("LoadImage", image=name)
    graph["enc"] = studio.node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2])
    graph["ks"]["inputs"] |= {"latent_image": ["enc", 0], "denoise": 0.5}
    return graph


def original(studio: Any, family: str, picture: Image.Image) -> torch.Tensor:
    found = studio.backend.files.find("checkpoints", family)
    return encode_picture(load_vae(found, torch.float32, family), picture)


def text_to_image(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """A picture of the asked size; seed, prompt and negative prompt all count."""
    graph = studio.graph_of(family)
    assert studio.draw(graph).image.size == (16, 16)
    plain = studio.latents(graph)
    assert torch.equal(plain, studio.latents(graph))
    for change in ({"seed": 8}, {"prompt": "a dog"}, {"negative": "two star"}):
        assert not torch.equal(plain, studio.latents(graph, **change)), change


def image_to_image(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """Little noise stays near the picture, much goes farther."""
    wanted = original(studio, family, picture)
    graph = with_picture(studio, studio.graph_of(family), "noise.png")
    distances = []
    for denoise in (0.0, 0.2, 0.9):
        graph["ks"]["inputs"]["denoise"] = denoise
        distances.append(float((studio.latents(graph) - wanted).abs().mean()))
    assert distances[0] < 1e-6
    assert distances[0] < distances[1] < distances[2]


def inpaint(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """The kept half is the original's latents; the other half is new."""
    graph = with_picture(studio, studio.graph_of(family), "noise.png")
    graph["load mask"] = studio.node("LoadImageMask", image="mask.png", channel="red")
    graph["mask"] = studio.node("SetLatentNoiseMask", samples=["enc", 0], mask=["load mask", 0])
    graph["ks"]["inputs"] |= {"latent_image": ["mask", 0], "denoise": 1.0}
    found, wanted = studio.latents(graph), original(studio, family, picture)
    assert torch.allclose(found[..., :3], wanted[..., :3], atol=1e-5)
    assert (found[..., 5:] - wanted[..., 5:]).abs().mean() > 0.05
    filled = copy.deepcopy(graph)
    del filled["enc"]
    filled["mask"] = studio.node("VAEEncodeForInpaint", pixels=["load", 0], vae=["ckpt", 2], mask=["load mask", 0],
                                 grow_mask_by=2)  # fmt: skip
    assert torch.isfinite(studio.latents(filled)).all()


LAYERS = {
    "flux": ("transformer.transformer_blocks.0.attn.to_q", 32, "text_encoder"),
    "sd3": ("transformer.transformer_blocks.0.attn.to_q", 32, "text_encoder"),
    "sdxl": ("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", 8, "text_encoder"),
    "sd15": ("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", 8, "text_encoder"),
}


def lora(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """On the model and on the text encoder; each counts alone, strength 0 is nothing, and nothing stays behind."""
    layer, width, text = LAYERS[family]
    torch.manual_seed(0)
    state = {f"{layer}.lora_A.weight": torch.randn(2, width), f"{layer}.lora_B.weight": torch.randn(width, 2)}
    words = f"{text}.text_model.encoder.layers.0.self_attn.q_proj"
    state |= {f"{words}.lora_A.weight": torch.randn(2, 32), f"{words}.lora_B.weight": torch.randn(32, 2)}
    (root / "loras").mkdir(exist_ok=True)
    save_file(state, root / "loras" / f"{family}.safetensors")
    graph = studio.graph_of(family)
    plain = studio.latents(graph)

    def drawn(model: float, clip: float) -> torch.Tensor:
        changed = copy.deepcopy(graph)
        given = {"model": ["ckpt", 0], "clip": ["ckpt", 1], "lora_name": f"{family}.safetensors"}
        changed["lora"] = studio.node("LoraLoader", **given, strength_model=model, strength_clip=clip)
        changed["ks"]["inputs"]["model"] = ["lora", 0]
        changed["pos"]["inputs"]["clip"] = ["lora", 1]
        return studio.latents(changed)

    assert torch.equal(plain, drawn(0.0, 0.0))
    assert not torch.equal(plain, drawn(1.0, 0.0))
    assert not torch.equal(plain, drawn(0.0, 1.0))
    assert torch.equal(plain, studio.latents(graph))


def controlnet(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """It counts with its strength, within its part of the way; another family's is refused. (Equal to the stock
    pipelines: ``test_stock.py``.)"""
    graph = studio.graph_of(family)
    plain = studio.latents(graph)

    def drawn(net: str = family, **settings: Any) -> torch.Tensor:
        changed = copy.deepcopy(graph)
        changed["load"] = studio.node("LoadImage", image="noise.png")
        changed["net"] = studio.node("ControlNetLoader", control_net_name=net)
        given = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, **settings}
        changed["apply"] = studio.node("ControlNetApplyAdvanced", positive=["pos", 0], negative=["neg", 0],
                                       control_net=["net", 0], image=["load", 0], vae=["ckpt", 2], **given)  # fmt: skip
        changed["ks"]["inputs"] |= {"positive": ["apply", 0], "negative": ["apply", 1]}
        return studio.latents(changed)

    whole = drawn()
    assert not torch.equal(plain, whole)
    assert torch.equal(plain, drawn(strength=0.0))
    assert not torch.equal(whole, drawn(end_percent=0.4))
    from imagewright.errors import BadInput

    with pytest.raises(BadInput, match="is not one for"):
        drawn(net="sd3" if family == "flux" else "flux")


def areas_and_masks(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """One prediction a conditioning: Combine of a text with itself changes nothing, an area only its own side."""
    graph = studio.graph_of(family)
    plain = studio.latents(graph)
    twice = copy.deepcopy(graph)
    twice["both"] = studio.node("ConditioningCombine", conditioning_1=["pos", 0], conditioning_2=["pos", 0])
    twice["ks"]["inputs"]["positive"] = ["both", 0]
    assert torch.allclose(studio.latents(twice), plain, atol=1e-5)
    placed = copy.deepcopy(graph)
    placed["words"] = studio.node("StringConcatenate", string_a="two", string_b="dog", delimiter=" ")
    placed["cat"] = studio.node("CLIPTextEncode", text=["words", 0], clip=["ckpt", 1])
    placed["area"] = studio.node("ConditioningSetAreaPercentage", conditioning=["cat", 0], width=0.5, height=1.0, x=0.5,
                                 y=0.0, strength=1.0)  # fmt: skip
    placed["both"] = studio.node("ConditioningCombine", conditioning_1=["pos", 0], conditioning_2=["area", 0])
    placed["ks"]["inputs"] |= {"positive": ["both", 0], "steps": 1, "cfg": 1.0}
    one_step = copy.deepcopy(graph)
    one_step["ks"]["inputs"] |= {"steps": 1, "cfg": 1.0}
    difference = (studio.latents(placed) - studio.latents(one_step)).abs()
    assert float(difference[..., :4].max()) < 1e-5
    assert float(difference[..., 4:].max()) > 1e-4
    masked = copy.deepcopy(placed)
    masked["load mask"] = studio.node("LoadImageMask", image="mask.png", channel="red")
    masked["area"] = studio.node("ConditioningSetMask", conditioning=["cat", 0], mask=["load mask", 0], strength=1.0,
                                 set_cond_area="default")  # fmt: skip
    difference = (studio.latents(masked) - studio.latents(one_step)).abs()
    assert float(difference[..., :3].max()) < 1e-5
    assert float(difference[..., 5:].max()) > 1e-4


def regions(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """A job's boxes steer the picture; their prompts and places matter."""
    graph = studio.graph_of(family)
    left, right = (Region(caption="two dog", x=x, y=0, width=0.5, height=1) for x in (0.0, 0.5))
    plain, one, other = (studio.latents(graph, regions=boxes) for boxes in ((), (left,), (right,)))
    assert not torch.equal(plain, one)
    assert not torch.equal(one, other)
    assert studio.draw(graph, regions=(left,)).facts["regions"].startswith("1 in the first 3 of 5 steps")


def batches(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """Several pictures from one seed, all handed over. (Equal to the stock pipelines: ``test_batches.py``.)"""
    graph = studio.graph_of(family)
    graph["size"]["inputs"]["batch_size"] = 3
    drawn = studio.draw(graph)
    assert len({image.tobytes() for image in (drawn.image, *drawn.more)}) == 3
    assert {image.size for image in drawn.more} == {(16, 16)}
    assert studio.latents(graph).shape[0] == 3


def redraw(studio: Any, family: str, root: Path, picture: Image.Image) -> None:
    """Pixels outside the boxes stay bit for bit."""
    box = Region(caption="a cat", x=0.5, y=0, width=0.5, height=1)
    after = np.asarray(studio.draw(studio.graph_of(family), redraw=Redraw(picture, (box,))).image)
    before = np.asarray(picture)
    assert np.array_equal(after[:, :6], before[:, :6])
    assert not np.array_equal(after[:, 8:], before[:, 8:])


FEATURES = {
    "text to image": text_to_image, "image to image": image_to_image, "inpainting": inpaint, "LoRA": lora,
    "ControlNet": controlnet, "areas and masks": areas_and_masks, "regions": regions, "redraw": redraw,
    "batches": batches,
}  # fmt: skip


@pytest.mark.parametrize("family", known_families())
@pytest.mark.parametrize("feature", FEATURES)
def test_feature(
    feature: str, family: str, studio: Any, family_root: Path, picture: Image.Image, input_picture: str
) -> None:
    FEATURES[feature](studio, family, family_root, picture)


def test_the_table_in_the_docs_is_these_tests() -> None:
    """A yes for each family and feature above, and no other row."""
    rows = re.findall(
        r"^\| (.+?) \| (.+) \|$", DOC.read_text("utf-8").split("## Families and features")[1].split("\n## ")[0], re.M
    )
    table = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    head = table.pop("feature")
    table.pop("---")
    assert head == [facts.title for facts in known_families().values()]
    assert set(table) == {*FEATURES, "equal to the stock pipeline"}
    assert all(cells == ["yes"] * len(known_families()) for cells in table.values())


def test_the_refiner_has_its_own_encoder(studio: Any) -> None:
    graph = studio.graph_of("sdxl-refiner")
    graph["pos"] = studio.node("CLIPTextEncodeSDXLRefiner", ascore=9.0, width=16, height=16, text="a red circle",
                               clip=["ckpt", 1])  # fmt: skip
    found = studio.latents(graph)
    graph["pos"]["inputs"]["ascore"] = 1.0
    assert not torch.equal(found, studio.latents(graph))


@pytest.mark.parametrize("family", known_families())
def test_a_controlnet_and_an_area_go_together(studio: Any, family: str, input_picture: str) -> None:
    """The ControlNet is on both sides of the guidance, the area on one: the other side's crop has its own part of the
    control picture."""
    graph = studio.graph_of(family)
    graph["load"] = studio.node("LoadImage", image=input_picture)
    graph["net"] = studio.node("ControlNetLoader", control_net_name=family)
    graph["apply"] = studio.node("ControlNetApplyAdvanced", positive=["pos", 0], negative=["neg", 0],
                                 control_net=["net", 0], image=["load", 0], vae=["ckpt", 2], strength=1.0,
                                 start_percent=0.0, end_percent=1.0)  # fmt: skip
    graph["area"] = studio.node("ConditioningSetArea", conditioning=["apply", 0], width=8, height=16, x=8, y=0,
                                strength=1.0)  # fmt: skip
    graph["both"] = studio.node("ConditioningCombine", conditioning_1=["apply", 0], conditioning_2=["area", 0])
    graph["ks"]["inputs"] |= {"positive": ["both", 0], "negative": ["apply", 1]}
    found = studio.latents(graph)
    assert torch.isfinite(found).all()
    graph["ks"]["inputs"]["positive"] = ["apply", 0]
    assert not torch.equal(studio.latents(graph), found)


def test_weights_and_long_prompts_count(studio: Any) -> None:
    graph = studio.graph_of("sd15")
    plain = studio.latents(graph, prompt="a red circle")
    assert torch.equal(plain, studio.latents(graph, prompt="a (red:1.0) circle"))
    assert not torch.equal(plain, studio.latents(graph, prompt="a (red:1.5) circle"))
    long = " ".join(["a red circle"] * 6)
    assert not torch.equal(studio.latents(graph, prompt=long + " dog"), studio.latents(graph, prompt=long + " cat"))


def test_text_encoders_of_another_family_are_refused(studio: Any) -> None:
    from imagewright.errors import BadInput

    graph = studio.graph_of("sdxl")
    graph["other"] = studio.node("CheckpointLoaderSimple", ckpt_name="sd15")
    graph["pos"]["inputs"]["clip"] = graph["neg"]["inputs"]["clip"] = ["other", 1]
    with pytest.raises(BadInput, match="do not belong"):
        studio.draw(graph)


def test_models_are_found_by_comfyuis_extra_paths(tmp_path: Path, family_root: Path, studio_at: Any) -> None:
    (tmp_path / "extra_model_paths.yaml").write_text(
        f"mine:\n  base_path: {family_root}\n  checkpoints: |\n    checkpoints/\n    nowhere/\n"
    )
    here = studio_at(tmp_path / "models")
    assert here.check(here.graph_of("sd15")) == []
    assert ModelFiles([tmp_path / "extra_model_paths.yaml"]).find("checkpoints", "sdxl") is not None
