"""Where a person's picture goes in a flow of somebody's: which of its LoadImage, as what, and the mask beside it."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from imagewright.flow_pictures import fill_pictures, find_denoise, find_places, put_stand_ins, say_brought, why_unfit
from imagewright.retrieval.intake import build_flow
from imagewright.schemas import DrawRequest, Flow

Graph = dict[str, dict[str, Any]]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def flow(**nodes: dict[str, Any]) -> Flow:
    """A flow that samples from an empty latent, unless ``nodes`` say otherwise."""
    graph: Graph = {
        "ckpt": node("CheckpointLoaderSimple", ckpt_name="a.safetensors"),
        "pos": node("CLIPTextEncode", text="", clip=["ckpt", 1]),
        "neg": node("CLIPTextEncode", text="", clip=["ckpt", 1]),
        "size": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "ks": node("KSampler", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["size", 0],
                   seed=1, steps=4, cfg=3.0, sampler_name="euler", scheduler="simple", denoise=0.6),
        "out": node("VAEDecode", samples=["ks", 0], vae=["ckpt", 2]),
        "save": node("SaveImage", images=["out", 0], filename_prefix="x"),
    }  # fmt: skip
    for name, value in nodes.items():
        known = graph.get(name, {"inputs": {}})
        inputs = {key: item for key, item in {**known["inputs"], **value["inputs"]}.items() if item is not None}
        graph[name] = {"class_type": value["class_type"], "inputs": inputs}
    return build_flow(graph, "theirs", {"title": "Theirs"})


def load(name: str = "left-over.png") -> dict[str, Any]:
    return node("LoadImage", image=name)


FROM = {"ks": node("KSampler", latent_image=["enc", 0])}
ENCODED = {"enc": node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2]), **FROM}
HINT = {
    "net": node("ControlNetLoader", control_net_name="c.safetensors"),
    "told": node("ControlNetApply", conditioning=["pos", 0], control_net=["net", 0], image=["hint", 0], strength=1.0),
}
FILLED = {"enc": node("VAEEncodeForInpaint", pixels=["load", 0], vae=["ckpt", 2], mask=["load", 1]), **FROM}


@pytest.mark.parametrize(
    ("nodes", "picture", "role", "mask", "channel"),
    [
        ({"load": load(), **ENCODED}, "load", "start", None, ""),
        ({"load": load(), "small": node("ImageScaleBy", image=["load", 0], upscale_method="area", scale_by=0.5),
          "enc": node("VAEEncode", pixels=["small", 0], vae=["ckpt", 2]), **FROM}, "load", "start", None, ""),
        ({"load": load(), **FILLED}, "load", "start", "load", "alpha"),
        ({"load": load(), "hole": node("LoadImageMask", image="m.png", channel="red"),
          "raw": node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2]),
          "enc": node("SetLatentNoiseMask", samples=["raw", 0], mask=["hole", 0]), **FROM},
         "load", "start", "hole", "red"),
        ({"hole": load(), "as": node("ImageToMask", image=["hole", 0], channel="red"), "load": load(),
          "enc": node("VAEEncodeForInpaint", pixels=["load", 0], vae=["ckpt", 2], mask=["as", 0]), **FROM},
         "load", "start", "hole", "red"),
        ({"hint": load(), **HINT, "ks": node("KSampler", positive=["told", 0])}, "hint", "hint", None, ""),
        ({"hint": load(), "load": load(), "other": load(), **HINT, **ENCODED,
          "ks": node("KSampler", positive=["told", 0], latent_image=["enc", 0])}, "load", "start", None, ""),
        ({"other": load("b.png"), "load": load(), "both": node("ImageBatch", image1=["load", 0], image2=["other", 0]),
          "enc": node("VAEEncode", pixels=["both", 0], vae=["ckpt", 2]), **FROM}, "other", "start", None, ""),
        ({"load": load(), "enc": node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2]),
          "told": node("ReferenceLatent", conditioning=["pos", 0], latent=["enc", 0]),
          "ks": node("KSampler", positive=["told", 0])}, "load", "reference", None, ""),
        ({"load": load(), "seen": node("GetImageSize", image=["load", 0]),
          "size": node("EmptyLatentImage", width=["seen", 0], height=["seen", 1])}, None, "", None, ""),
    ],
    ids=["start", "scaled", "alpha", "LoadImageMask", "ImageToMask", "hint", "start before hint", "first of two",
         "reference", "only measured"],
)  # fmt: skip
def test_the_place_of_a_picture_is_found(
    nodes: dict[str, Any], picture: str | None, role: str, mask: str | None, channel: str
) -> None:
    found = find_places(flow(**nodes))
    if picture is None:
        assert found is None
        return
    assert found is not None
    assert (found.picture.node, found.role, found.mask and found.mask.node, found.channel) == (
        picture, role, mask, channel,
    )  # fmt: skip


def test_a_flow_from_text_has_no_place() -> None:
    plain = flow()
    assert find_places(plain) is None
    assert put_stand_ins(plain) is plain
    assert why_unfit(plain, "mask") == ""


def test_pictures_are_named_by_what_is_to_be_seen_and_nothing_else_is_changed() -> None:
    theirs = flow(load=load(), **FILLED)
    places = find_places(theirs)
    assert places is not None
    image, mask = Image.new("RGB", (8, 8), (10, 20, 30)), Image.new("L", (8, 8), 0)
    mask.paste(255, (0, 0, 4, 8))
    filled, pictures = fill_pictures(theirs, places, image, mask, 0.3)
    ((name, brought),) = pictures.items()
    assert name.startswith("imagewright-picture-")
    assert [brought.getpixel(at) for at in ((0, 0), (7, 0))] == [(10, 20, 30, 0), (10, 20, 30, 255)]
    assert filled.graph["load"]["inputs"]["image"] == name
    assert filled.graph["ks"]["inputs"]["denoise"] == 0.3
    assert filled.card.kind == "text-to-image"
    assert theirs.graph["load"]["inputs"]["image"] == "left-over.png"
    again, other = fill_pictures(theirs, places, image, None, None)
    assert again.graph["ks"]["inputs"]["denoise"] == 0.6, "what nobody asked for stays as its author has it"
    assert list(other) != [name]


def test_a_strength_is_the_denoise_of_the_sampler_that_starts_from_the_picture() -> None:
    again = node("KSampler", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["ks", 0],
                 seed=1, steps=4, cfg=3.0, sampler_name="euler", scheduler="simple", denoise=0.2)  # fmt: skip
    theirs = flow(load=load(), again=again, **ENCODED, out=node("VAEDecode", samples=["again", 0]))
    sigmas = node("BasicScheduler", model=["ckpt", 0], scheduler="simple", steps=4, denoise=0.7)
    parts = node("SamplerCustom", model=["ckpt", 0], positive=["pos", 0], negative=["neg", 0], latent_image=["enc", 0],
                 sampler=["kind", 0], sigmas=["sigmas", 0], add_noise=True, noise_seed=1, cfg=3.0, denoise=None,
                 steps=None, scheduler=None, sampler_name=None, seed=None)  # fmt: skip
    kind = node("KSamplerSelect", sampler_name="euler")
    custom = flow(load=load(), sigmas=sigmas, kind=kind, **{**ENCODED, "ks": parts})
    for each, at in ((theirs, "ks"), (custom, "sigmas")):
        places = find_places(each)
        assert places is not None
        assert [binding.node for binding in find_denoise(each, places)] == [at]


def test_a_mask_that_is_read_from_a_colour_is_white_where_it_is_drawn_anew() -> None:
    inpaint = node("VAEEncodeForInpaint", pixels=["load", 0], vae=["ckpt", 2], mask=["hole", 0])
    theirs = flow(load=load(), hole=node("LoadImageMask", image="m.png", channel="red"), enc=inpaint, **FROM)
    places = find_places(theirs)
    assert places is not None
    mask = Image.new("L", (8, 8), 255)
    filled, pictures = fill_pictures(theirs, places, Image.new("RGB", (8, 8)), mask, None)
    assert pictures[filled.graph["hole"]["inputs"]["image"]].getpixel((0, 0)) == (255, 255, 255)
    assert pictures[filled.graph["load"]["inputs"]["image"]].mode == "RGB"


@pytest.mark.parametrize(
    ("nodes", "brings", "named", "says"),
    [
        ({"load": load(), **ENCODED}, "picture", False, ""),
        ({"load": load(), **ENCODED}, "mask", False, "takes no mask"),
        ({"load": load(), **FILLED}, "picture", False, "needs a mask, too"),
        ({"load": load(), **FILLED}, "mask", False, ""),
        ({"hint": load(), **HINT, "ks": node("KSampler", positive=["told", 0])}, "picture", False, "--flow theirs"),
        ({"hint": load(), **HINT, "ks": node("KSampler", positive=["told", 0])}, "picture", True, ""),
    ],
)
def test_what_a_flow_cannot_use_is_said(nodes: dict[str, Any], brings: Any, named: bool, says: str) -> None:
    why = why_unfit(flow(**nodes), brings, named)
    assert says in why
    assert bool(says) == bool(why)


def test_what_a_request_brings() -> None:
    asked = DrawRequest(prompt="a")
    assert [say_brought(asked.revise(**more)) for more in ({}, {"image": "a"}, {"image": "a", "mask": "b"})] == [
        "", "picture", "mask",
    ]  # fmt: skip
