"""Things gone wrong, as a generator's are: a detector must not take them for what they nearly are.

A picture model's typical mistake is no wrong thing but a half-formed one: two shapes run together, a silhouette bent
out of shape, a sail that hovers over its hull, a car whose roof has faded away. A detector that only ever saw whole
things names the nearest shape, and its critic accepts the picture.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from imagewright.t2i_backends.mini.render import SIZE, draw_scene
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Scene, Thing, compatible

BENT = (0.18, 0.28)
"""How far the points of a thing are moved that is bent out of shape: standard deviation in sides of its box."""
_WOBBLY = (0.01, 0.05)
"""The same for a thing that is a little uneven and still what it is."""
MESH = 4
"""Cells a side of the mesh that moves."""
RECOLOURED = 0.3
"""The share of things of two parts whose parts differ in colour, not in shape."""
REACH = 1.3
"""The side of the mesh, in sides of the thing's box."""
SHARD = 0.12
"""The least share of a torn thing that each of two pieces holds."""
FADED = 0.2
"""The share of a faded thing's pixels that is gone at least."""
VISIBLE = 40.0
"""How far a pixel's colour is from the background's (in RGB) where a thing is seen."""
ATTEMPTS = 6

_Mask = NDArray[np.bool_]


def spoil(scene: Scene, rng: random.Random) -> tuple[Image.Image, Scene]:
    """A picture of ``scene`` with one of its things misshapen, and what a detector should see of it: the rest."""
    thing, rest = _one(scene, rng)
    if rng.random() < 0.5:
        return _chimera(scene, thing, rng), rest
    return _moved(draw_scene(scene, rng), thing, rng.uniform(*BENT), rng), rest


def tear(scene: Scene, rng: random.Random) -> Image.Image | None:
    """``scene`` with a gap through one of its things, which is in two pieces then; None where no gap did that."""
    return _torn(scene, *_one(scene, rng), rng)


def fade(scene: Scene, rng: random.Random) -> Image.Image | None:
    """``scene`` with a good part of a thing gone into the background; None where none or all of it went."""
    return _faded(scene, *_one(scene, rng), rng)


def _one(scene: Scene, rng: random.Random) -> tuple[Thing, Scene]:
    """One of the things, and the scene without it."""
    thing = rng.choice(scene.things)
    return thing, replace(scene, things=tuple(other for other in scene.things if other is not thing))


def wobbly(scene: Scene, rng: random.Random) -> Image.Image:
    """A picture of ``scene`` with slightly uneven things."""
    picture = draw_scene(scene, rng)
    for thing in scene.things:
        picture = _moved(picture, thing, rng.uniform(*_WOBBLY), rng)
    return picture


def _chimera(scene: Scene, thing: Thing, rng: random.Random) -> Image.Image:
    """``thing`` on one side of a cut through its middle; on the other another shape, or the same in another colour."""
    colours = [c for c in COLOURS if c != thing.colour and compatible(c, scene.background)]
    if rng.random() < RECOLOURED and colours:
        other = replace(thing, colour=rng.choice(colours))
    else:
        other = replace(thing, shape=rng.choice([shape for shape in SHAPES if shape != thing.shape]))
    seed = rng.getrandbits(32)
    picture = draw_scene(scene, random.Random(seed))
    things = tuple(other if each is thing else each for each in scene.things)
    second = draw_scene(replace(scene, things=things), random.Random(seed))
    x, y, width, height = (v * SIZE for v in thing.box)
    cut = rng.uniform(0.4, 0.6)
    right, bottom = (cut * width, height + 2) if rng.random() < 0.5 else (width + 2, cut * height)
    area = round(x - 2), round(y - 2), round(x + right), round(y + bottom)
    picture.paste(second.crop(area), area[:2])
    return picture


def _torn(scene: Scene, thing: Thing, rest: Scene, rng: random.Random) -> Image.Image | None:
    whole, without, there = _with_and_without(scene, rest, rng)
    side = SIZE
    for _ in range(ATTEMPTS):
        gap = Image.new("L", whole.size)
        turn, reach = rng.uniform(0, math.pi), thing.size * side
        x = thing.x * side + rng.gauss(0, reach / 8)
        y = thing.y * side + rng.gauss(0, reach / 8)
        dx, dy = reach * math.cos(turn), reach * math.sin(turn)
        ImageDraw.Draw(gap).line(
            (x - dx, y - dy, x + dx, y + dy), fill=255, width=round(side * rng.uniform(0.02, 0.05))
        )
        left = there & (np.asarray(gap) < 128)
        pieces, count = ndimage.label(left, np.ones((3, 3)))
        shares = np.sort(np.bincount(pieces.ravel(), minlength=2)[1:]) / max(there.sum(), 1)
        if count >= 2 and shares[-2] >= SHARD:
            return _without(whole, without, gap, rng)
    return None


def _faded(scene: Scene, thing: Thing, rest: Scene, rng: random.Random) -> Image.Image | None:
    whole, without, there = _with_and_without(scene, rest, rng)
    rows, columns = np.nonzero(there)
    for _ in range(ATTEMPTS if len(rows) else 0):
        at = rng.randrange(len(rows))
        x, y, reach = columns[at], rows[at], thing.size * SIZE
        across, down = reach * rng.uniform(0.2, 0.45), reach * rng.uniform(0.2, 0.45)
        spot = Image.new("L", whole.size)
        ImageDraw.Draw(spot).ellipse((x - across, y - down, x + across, y + down), fill=round(rng.uniform(170, 255)))
        gone = there & (np.asarray(spot) > 0)
        if FADED <= gone.sum() / there.sum() <= 1 - FADED:
            return _without(whole, without, spot, rng)
    return None


def _with_and_without(scene: Scene, rest: Scene, rng: random.Random) -> tuple[Image.Image, Image.Image, _Mask]:
    """The same picture with a thing and without it, and where that thing is seen."""
    seed = rng.getrandbits(32)
    whole, without = draw_scene(scene, random.Random(seed)), draw_scene(rest, random.Random(seed))
    difference = np.asarray(whole, dtype=np.float32) - np.asarray(without, dtype=np.float32)
    return whole, without, np.linalg.norm(difference, axis=-1) > VISIBLE


def _without(whole: Image.Image, without: Image.Image, part: Image.Image, rng: random.Random) -> Image.Image:
    """``whole`` with ``part`` of it as it is ``without`` the thing, at edges as soft as a model's."""
    return Image.composite(without, whole, part.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.2))))


def _moved(picture: Image.Image, thing: Thing, spread: float, rng: random.Random) -> Image.Image:
    """``picture`` with the points of a mesh over ``thing`` moved at random; the mesh's rim stays where it is."""
    reach = thing.size * REACH
    left, top = (thing.x - reach / 2) * picture.width, (thing.y - reach / 2) * picture.height
    cell = reach * picture.width / MESH
    amount = spread * thing.size * picture.width

    def point(column: int, row: int) -> tuple[float, float]:
        inside = 0 < column < MESH and 0 < row < MESH
        dx, dy = (rng.gauss(0, amount), rng.gauss(0, amount)) if inside else (0.0, 0.0)
        x, y = left + column * cell + dx, top + row * cell + dy
        return min(max(x, 0.0), picture.width - 1.0), min(max(y, 0.0), picture.height - 1.0)

    points = [[point(column, row) for column in range(MESH + 1)] for row in range(MESH + 1)]
    across = [round(left + column * cell) for column in range(MESH + 1)]
    down = [round(top + row * cell) for row in range(MESH + 1)]
    mesh = []
    for row, (above, below) in enumerate(itertools.pairwise(points)):
        for column in range(MESH):
            target = across[column], down[row], across[column + 1], down[row + 1]
            corners = above[column], below[column], below[column + 1], above[column + 1]
            mesh.append((target, tuple(itertools.chain(*corners))))
    moved = picture.copy()
    warped = picture.transform(picture.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
    area = max(0, across[0]), max(0, down[0]), min(picture.width, across[-1]), min(picture.height, down[-1])
    moved.paste(warped.crop(area), area[:2])
    return moved
