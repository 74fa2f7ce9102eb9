"""Things gone wrong, as a generator's are: a detector must not take them for what they nearly are.

A picture model's typical mistake is no wrong thing but a half-formed one: two shapes run together, a silhouette bent
out of shape. A detector that only ever saw whole things names the nearest shape, and its critic accepts the picture.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

from PIL import Image

from imagewright.t2i_backends.mini.editions import Edition
from imagewright.t2i_backends.mini.world import Scene, Thing

BENT = (0.18, 0.28)
"""How far the points of a thing are moved that is bent out of shape: standard deviation in sides of its box."""
WOBBLY = (0.01, 0.05)
"""The same for a thing that is a little uneven and still what it is."""
MESH = 4
"""Cells a side of the mesh that moves."""
RECOLOURED = 0.3
"""The share of things of two parts whose parts differ in colour, not in shape."""
REACH = 1.3
"""The side of the mesh, in sides of the thing's box."""


def spoiled(scene: Scene, edition: Edition, rng: random.Random) -> tuple[Image.Image, Scene]:
    """A picture of ``scene`` with one of its things spoilt, and the scene as a detector should see it: without it."""
    thing = rng.choice(scene.things)
    rest = replace(scene, things=tuple(other for other in scene.things if other is not thing))
    if rng.random() < 0.5:
        return _chimera(scene, thing, edition, rng), rest
    return _moved(edition.draw(scene, rng), thing, rng.uniform(*BENT), rng), rest


def wobbly(scene: Scene, edition: Edition, rng: random.Random) -> Image.Image:
    """A picture of ``scene`` with slightly uneven things."""
    picture = edition.draw(scene, rng)
    for thing in scene.things:
        picture = _moved(picture, thing, rng.uniform(*WOBBLY), rng)
    return picture


def _chimera(scene: Scene, thing: Thing, edition: Edition, rng: random.Random) -> Image.Image:
    """``thing`` on one side of a cut through its middle; on the other another shape, or the same in another colour."""
    colours = [c for c in edition.colours if c != thing.colour and edition.compatible(c, scene.background)]
    if rng.random() < RECOLOURED and colours:
        other = replace(thing, colour=rng.choice(colours))
    else:
        other = replace(thing, shape=rng.choice([shape for shape in edition.shapes if shape != thing.shape]))
    seed = rng.getrandbits(32)
    picture = edition.draw(scene, random.Random(seed))
    things = tuple(other if each is thing else each for each in scene.things)
    second = edition.draw(replace(scene, things=things), random.Random(seed))
    x, y, width, height = (v * edition.side for v in thing.box)
    cut = rng.uniform(0.4, 0.6)
    right, bottom = (cut * width, height + 2) if rng.random() < 0.5 else (width + 2, cut * height)
    area = round(x - 2), round(y - 2), round(x + right), round(y + bottom)
    picture.paste(second.crop(area), area[:2])
    return picture


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
