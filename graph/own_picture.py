"""A picture of the person's own as the start of a new one: read and kept, fitted to the flow, drawn from.

It is checked and put into the store before anything is done for the run, so that the file may go or change later. What
is drawn from it keeps its places, so that no layout governs; the critic judges a picture that is drawn anew as a whole,
and another seed is the one repair. Into a mask nothing is judged: what stands outside is not of the prompt.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageOps

from imagewright.errors import BadInput, CannotDraw
from imagewright.flow_pictures import ROLES, Places, fill_pictures, find_denoise, find_places, takes_picture
from imagewright.graph.choose import Ranked, is_closed
from imagewright.graph.parts import Parts
from imagewright.graph.state import Attempt, State
from imagewright.intents import Intent, Settled
from imagewright.memory.artifacts import ArtifactStore, Made, content_key
from imagewright.ports import Drawn, Job, Redraw, Redraws, StatesWorlds
from imagewright.schemas import DrawRequest, Flow, Region, SlotName

STRENGTH = 0.65
"""How far from the picture where nothing is said: its colours and places stay to be seen."""
_LEAST = 16
"""Pixels of the smallest side that is worth starting from."""
_STEP = 16
"""Sides of a canvas: every family of models takes multiples of it."""
_MOST = 1536 * 1024
"""Pixels of a canvas whose size no flow states: a photograph has more than any model was taught."""
_SAME_SHAPE = 0.02
_SHA = re.compile(r"[0-9a-f]{64}")
_SIDES: tuple[SlotName, ...] = ("width", "height")
_WHOLE = Region(caption="the picture", x=0, y=0, width=1, height=1)


# --- before the run -------------------------------------------------------------------------


def take_pictures(request: DrawRequest, store: ArtifactStore) -> DrawRequest:
    """``request`` with its picture and mask in the store, named by their hashes there.

    Raises:
        BadInput: one is no picture, is too large or small, or the mask has another shape or masks nothing.
    """
    if request.image is None:
        return request
    image = _read(request.image, store)
    taken = {"image": store.put_image(_on_white(image))}
    if request.mask is not None:
        mask = _fit_mask(_as_mask(_read(request.mask, store)), image, Path(request.mask).name)
        taken["mask"] = store.put_image(mask)
    # What is drawn into a mask stands among things that the prompt does not name.
    return request.revise(**taken, use_critic=request.use_critic and request.mask is None)


def check_pictures(request: DrawRequest) -> None:
    """Look at the picture and the mask of a request that is only planned; nothing is kept.

    Raises:
        BadInput: as ``take_pictures``.
    """
    if request.image is None:
        return
    image = _read(request.image, None)
    if request.mask is not None:
        _fit_mask(_as_mask(_read(request.mask, None)), image, Path(request.mask).name)


def _read(name: str, store: ArtifactStore | None) -> Image.Image:
    if store is not None and _SHA.fullmatch(name) and store.has(name):
        return store.open(name)
    from imagewright.t2i_backends.pictures.inputs import read_picture

    try:
        image = read_picture(Path(name).expanduser())
    except RuntimeError:
        raise BadInput(
            f"{name[:80]!r} cannot be read as a picture", "name a file that exists and is readable"
        ) from None
    if min(image.size) < _LEAST:
        raise BadInput(
            f"{Path(name).name!r} has {image.width} x {image.height} pixels", f"use at least {_LEAST} a side"
        )
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands():
        return image
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    return paper.convert("RGB")


def _as_mask(image: Image.Image) -> Image.Image:
    """White where something is drawn anew: what is white, or in a picture with transparency what is transparent."""
    if "A" in image.getbands() and image.getchannel("A").getextrema() != (255, 255):
        return ImageOps.invert(image.getchannel("A"))
    return image.convert("L")


def _fit_mask(mask: Image.Image, image: Image.Image, name: str) -> Image.Image:
    """The mask at the size of its picture.

    Raises:
        BadInput: it has another shape, or is black everywhere.
    """
    if abs(mask.width * image.height / (mask.height * image.width) - 1) > _SAME_SHAPE:
        raise BadInput(
            f"the mask {name!r} has {mask.width} x {mask.height} pixels and the picture {image.width} x {image.height}",
            "give both the same shape",
        )
    if mask.getextrema() == (0, 0):
        raise BadInput(f"the mask {name!r} is black everywhere", "paint white what is to be drawn anew")
    return mask if mask.size == image.size else mask.resize(image.size, Image.Resampling.BOX)


def leave_out(request: DrawRequest, intent: Intent, settled: Settled) -> tuple[DrawRequest, tuple[str, ...]]:
    """``request`` without its picture where a part of an earlier picture is changed, and a note that says so.

    A change that draws everything anew (another style, one more) starts from the picture instead.
    """
    if request.image is None or intent.kind == "create" or not (settled.redraw or request.boxes):
        return request, ()
    plain = request.model_copy(update={"image": None, "mask": None, "strength": None})
    return plain, ("the image is left out: this changes a part of an earlier picture",)


# --- the flow -------------------------------------------------------------------------------


def insist_on_start(parts: Parts, request: DrawRequest, found: Ranked) -> Ranked:
    """``found`` narrowed to the flows that can start from a picture, where ``request`` has one, else to the others.

    Raises:
        CannotDraw: none can.
    """
    if request.image is None:
        plain = tuple(c for c in found.offered if not takes_picture(parts.catalogue.flow(c.flow).card))
        return found if plain == found.offered else found.model_copy(update={"offered": plain})
    if not found.offered:
        return found
    able = [c for c in found.offered if _can_start(parts, parts.catalogue.flow(c.flow))]
    if not able:
        which = f"flow {request.flow}" if request.flow else "no flow here"
        verb = "cannot start" if request.flow else "can start"
        raise CannotDraw(f"{which} {verb} from a picture", "name a flow that samples once, or leave the image out")
    return found.model_copy(update={"offered": tuple(able)})


def _can_start(parts: Parts, flow: Flow) -> bool:
    """Whether ``flow`` has a place for a picture, or the backend can draw over one with it."""
    backend = parts.backend
    return takes_picture(flow.card) or (isinstance(backend, Redraws) and backend.can_redraw(flow))


# --- drawing --------------------------------------------------------------------------------


def start_from(parts: Parts, state: State, first: Attempt) -> tuple[Attempt, tuple[str, ...]]:
    """``first`` drawn from the person's picture, fitted to the flow's canvas, and what to tell of it."""
    request = state.request
    if request.image is None or first.base is not None:
        return first, ()
    flow = parts.catalogue.flow(first.flow)
    note = _say_start(request, flow)
    if not state.run:  # only planned: the picture is not kept
        return first, (note,)
    image = parts.store.open(request.image)
    size = _canvas(parts, image, request, flow)
    fitted = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    base = parts.store.put_image(fitted)
    parts.store.put_made(
        content_key({"run": state.run, "start": base}), Made(image=base, seconds=0.0, facts={}, run=state.run)
    )
    notes = [note]
    if fitted.size != image.size:
        notes.append(f"the image was made {size[0]} x {size[1]} for the flow, from {image.width} x {image.height}")
    return first.model_copy(update={"base": base, "edited": base, "regions": (_WHOLE,)}), tuple(notes)


def _say_start(request: DrawRequest, flow: Flow) -> str:
    places = find_places(flow)
    if places is not None:
        return _say_place(request, flow, places)
    if request.mask is None:
        return f"starts from your image, strength {strength_of(request):g}"
    return f"draws into the mask of your image, strength {strength_of(request):g}; the rest stays; it is not checked"


def _say_place(request: DrawRequest, flow: Flow, places: Places) -> str:
    """What a flow does with the picture by its own nodes."""
    told = [f"your image is the flow's {ROLES[places.role]} (node {places.picture.node[:40]})"]
    if request.strength is not None:
        told.append(
            f"strength {request.strength:g}"
            if find_denoise(flow, places)
            else "the strength is left out, for it has no denoise"
        )
    if request.mask is not None:
        told.append("your mask says where; it is not checked")
    return ", ".join(told)


def _canvas(parts: Parts, image: Image.Image, request: DrawRequest, flow: Flow) -> tuple[int, int]:
    """The size to draw in: what was asked for; the one size of a small model; else the image's shape, with as many
    pixels as the flow usually draws, or as its own where the flow states no size."""
    own = [_stated(flow, side) for side in ("width", "height")]
    usual = (own[0] or image.width, own[1] or image.height)
    if request.width or request.height:
        return request.width or usual[0], request.height or usual[1]
    if is_closed(parts, flow) and (only := _only_size(parts, flow, own)) is not None:
        return only
    pixels = usual[0] * usual[1] if all(own) else min(image.width * image.height, _MOST)
    factor = (pixels / (image.width * image.height)) ** 0.5
    wide, tall = (max(round(side * factor / _STEP), 1) * _STEP for side in image.size)
    return wide, tall


def _only_size(parts: Parts, flow: Flow, own: list[int | None]) -> tuple[int, int] | None:
    """The one size of the flow's model, as its graph has it or else as the model says; None where neither does."""
    if own[0] and own[1]:
        return own[0], own[1]
    world = parts.backend.state_world(flow) if isinstance(parts.backend, StatesWorlds) else None
    return (world.side, world.side) if world is not None else None


def _stated(flow: Flow, side: str) -> int | None:
    for binding in flow.card.slots.get(side, ()):  # type: ignore[call-overload]
        value = flow.graph[binding.node]["inputs"].get(binding.input)
        if isinstance(value, int):
            return value
    return None


def strength_of(request: DrawRequest) -> float:
    """How far to go from the picture: what was asked for, else all the way inside a mask and most of it without."""
    if request.strength is not None:
        return request.strength
    return STRENGTH if request.mask is None else 1.0


def start_job(parts: Parts, request: DrawRequest, job: Job, base: str | None, regions: tuple[Region, ...]) -> Job:
    """``job`` with what it starts from, of picture ``base``: in the flow's own places where it has them, else as a
    redraw, which goes by the request's strength and mask where the request brought the picture."""
    if base is None or not regions:
        return job
    image = parts.store.open(base)
    if request.image is None:
        return replace(job, redraw=Redraw(image, regions))
    mask = None
    if request.mask is not None:
        mask = ImageOps.fit(parts.store.open(request.mask).convert("L"), image.size, Image.Resampling.BOX)
    places = find_places(job.flow)
    if places is None:
        return replace(job, redraw=Redraw(image, regions, strength_of(request), mask))
    sides = [size if side in job.flow.card.slots else None for side, size in zip(_SIDES, image.size, strict=True)]
    flow, pictures = fill_pictures(job.flow, places, image, mask, request.strength)
    return replace(job, flow=flow, pictures=pictures, width=sides[0], height=sides[1])


def keep_rest(parts: Parts, request: DrawRequest, base: str | None, drawn: Drawn, flow: Flow) -> Drawn:
    """``drawn`` by a flow's own places, with what the request's mask keeps as it was, bit for bit.

    Left as it is where the flow made it another size (it was drawn beyond its borders, or enlarged).
    """
    places = find_places(flow)
    if base is None or request.mask is None or places is None or places.role != "start":
        return drawn
    image = parts.store.open(base)
    if drawn.image.size != image.size:
        return drawn
    mask = ImageOps.fit(parts.store.open(request.mask).convert("L"), image.size, Image.Resampling.BOX)
    return replace(drawn, image=Image.composite(drawn.image.convert("RGB"), image.convert("RGB"), mask))
