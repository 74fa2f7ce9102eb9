"""A close-up: one small thing of a picture is enlarged to the whole canvas, drawn anew there, and put back.

Models draw large things better than small ones, so a thing that came out half-formed is redrawn where it is large; what
lies around it is kept. Inpainting tools call it "only masked" (Automatic1111) or crop and stitch (ComfyUI).
"""

from __future__ import annotations

from PIL import Image

from imagewright.agents.critic.repairs.close_up import CloseUp
from imagewright.geometry import keep_inside
from imagewright.ports import Job, Redraw
from imagewright.schemas import Box, Flow, Region, Repair

STRENGTH = 0.5
"""How far a thing is taken back toward noise: its place and colour stay, its form is found anew."""
_AROUND = 1.7
"""The side of the part that is enlarged, in longest sides of the thing."""
_EDGE = 0.04
"""How much more than the thing itself is drawn, on every side, as a share of the enlarged part."""


def flow_of(flow: str, repair: Repair | None) -> str:
    """The flow that draws a round of ``flow``: its own, but for a close-up."""
    return repair.flow if isinstance(repair, CloseUp) and repair.flow else flow


def job(picture: Image.Image, repair: CloseUp, flow: Flow, seed: int) -> Job:
    """What a backend draws for a close-up of a thing in ``picture``; ``put_back`` makes a whole picture of it."""
    part, place = enlarge(picture, repair.moved)
    return Job(
        flow=flow, prompt=repair.prompt or repair.moved.caption, seed=seed, redraw=Redraw(part, (place,), STRENGTH)
    )


def enlarge(picture: Image.Image, thing: Box) -> tuple[Image.Image, Region]:
    """The part of ``picture`` around ``thing`` as large as ``picture``, and where the thing is in it."""
    left, top, right, bottom = _part(picture, thing)
    width, height = right - left, bottom - top
    x = max((thing.x * picture.width - left) / width - _EDGE, 0.0)
    y = max((thing.y * picture.height - top) / height - _EDGE, 0.0)
    region = Region(
        caption=thing.caption, x=x, y=y,
        width=min(thing.width * picture.width / width + 2 * _EDGE, 1 - x),
        height=min(thing.height * picture.height / height + 2 * _EDGE, 1 - y),
    )  # fmt: skip
    part = picture.convert("RGB").crop((left, top, right, bottom))
    return part.resize(picture.size, Image.Resampling.LANCZOS), region


def put_back(picture: Image.Image, drawn: Image.Image, thing: Box) -> Image.Image:
    """``picture`` with ``drawn``, the enlarged part anew, in its place; pixels outside the part are not touched."""
    left, top, right, bottom = _part(picture, thing)
    whole = picture.convert("RGB")
    whole.paste(drawn.convert("RGB").resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return whole


def _part(picture: Image.Image, thing: Box) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part to enlarge, in pixels: in the picture's own proportions, inside it."""
    share = min(1.0, max(thing.width, thing.height) * _AROUND)
    x, y = (keep_inside(middle - share / 2, share) for middle in thing.centre)
    left, top = round(x * picture.width), round(y * picture.height)
    width, height = max(1, round(share * picture.width)), max(1, round(share * picture.height))
    return left, top, min(left + width, picture.width), min(top + height, picture.height)
