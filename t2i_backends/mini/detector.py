"""A small trained detector for mini's world: shape, colour and box of each thing, and the background's colour.

A centre-point network (after Zhou et al. 2019, "Objects as Points", arXiv:1904.07850) with a cell for every four
pixels. Two of them ship with mini, trained apart: one is the critic's, the other scores evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from imagewright.t2i_backends.mini.render import SIZE
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES

CELL = 4
"""Pixels of a cell's side."""
CLOSER = (1.6, 2.2)
"""The sides of the closer looks at a thing, in sides of its box."""
MIDDLE = 0.19
"""How far from the middle of a closer look the thing may be found, as a share of its side."""


@dataclass(frozen=True)
class FoundThing:
    """One thing: shape, colour, sureness in [0, 1] and its box as fractions."""

    shape: str
    colour: str
    score: float
    box: tuple[float, float, float, float]


def heads() -> list[int]:
    """How many numbers of a cell tell the shape, the colour, and the box."""
    return [len(SHAPES), len(COLOURS), 4]


def _block(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
        nn.GroupNorm(4, outside),
        nn.SiLU(),
        nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
        nn.GroupNorm(4, outside),
        nn.SiLU(),
    )


class DetectorNet(nn.Module):
    """Pictures ``(batch, 3, side, side)`` in [-1, 1] to a grid ``(batch, heads, cells, cells)`` and background logits.

    Heads: a heat map a shape, logits a colour, the centre's offset in its cell (2) and the box's sides (2).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.fine = _block(3, width, 2)
        self.mid = _block(width, width * 2, 2)
        self.coarse = _block(width * 2, width * 3, 2)
        self.join = _block(width * 5, width * 3, 1)
        self.head = nn.Conv2d(width * 3, sum(heads()), 1)
        self.background = nn.Linear(width * 3, len(COLOURS))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The grid and the background's logits."""
        mid = self.mid(self.fine(pictures))
        coarse = self.coarse(mid)
        joined = self.join(torch.cat([mid, F.interpolate(coarse, scale_factor=2)], dim=1))
        return self.head(joined), self.background(coarse.mean(dim=(2, 3)))


def detector_input(image: Image.Image) -> Tensor:
    """``image`` at mini's size as ``(3, side, side)`` in [-1, 1]."""
    small, side = image.convert("RGB"), SIZE
    if small.size != (side, side):
        small = small.resize((side, side), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, dtype=np.float32)).permute(2, 0, 1) / 127.5 - 1


def _decode(grid: Tensor, threshold: float) -> tuple[FoundThing, ...]:
    """The things in one grid ``(heads, cells, cells)``: local maxima of the heat maps above ``threshold``."""
    shapes, colours, rest = grid.split(heads())
    heat, cells = shapes.sigmoid(), grid.shape[-1]
    best, which = heat.max(dim=0)
    peaks = (F.max_pool2d(best[None], 3, 1, 1)[0] == best) & (best > threshold)
    found = []
    for row, column in peaks.nonzero().tolist():
        dx, dy, width, height = rest[:, row, column].sigmoid().tolist()
        x, y = (column + dx) / cells - width / 2, (row + dy) / cells - height / 2
        colour = tuple(COLOURS)[int(colours[:, row, column].argmax())]
        shape = SHAPES[int(which[row, column])]
        found.append(FoundThing(shape, colour, float(best[row, column]), (x, y, width, height)))
    return tuple(sorted(found, key=lambda f: -f.score))


def load_detector(path: Path) -> DetectorNet:
    """The network saved at ``path`` (safetensors), ready to use."""
    weights = load_file(path)
    net = DetectorNet(weights["fine.0.weight"].shape[0])
    net.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return net.eval()


@torch.no_grad()
def find_things(net: DetectorNet, image: Image.Image, threshold: float = 0.4) -> tuple[tuple[FoundThing, ...], str]:
    """The things in ``image``, surest first, and the background's colour."""
    grid, background = net(detector_input(image)[None])
    names = tuple(COLOURS)
    return _decode(grid[0], threshold), names[int(background[0].argmax())]


@torch.no_grad()
def closer(net: DetectorNet, image: Image.Image, found: Sequence[FoundThing]) -> tuple[FoundThing, ...]:
    """``found`` with the scores of several looks at each thing: at the whole picture, and twice at its surroundings.

    A gap of three pixels is less than a cell of the whole picture; enlarged it shows, and the thing is seen less
    surely. The score is the logistic of the mean logit, so that one look that sees nothing weighs.
    """
    if not found:
        return ()
    views = [_enlarged(image, one.box, side) for side in CLOSER for one in found]
    grids, _ = net(torch.stack([detector_input(view) for view in views]))
    first, last = (round((0.5 + sign * MIDDLE) * grids.shape[-1]) for sign in (-1, 1))
    names = torch.tensor([SHAPES.index(one.shape) for one in found]).repeat(len(CLOSER))
    middle = grids[torch.arange(len(views)), names, first:last, first:last].amax(dim=(1, 2))
    whole = torch.logit(torch.tensor([one.score for one in found]), eps=1e-4)
    logits = torch.cat([whole[None], middle.reshape(len(CLOSER), len(found)).clamp(-9, 9)]).mean(dim=0)
    seen = (replace(one, score=score) for one, score in zip(found, logits.sigmoid().tolist(), strict=True))
    return tuple(sorted(seen, key=lambda f: -f.score))


def _enlarged(image: Image.Image, box: tuple[float, float, float, float], factor: float) -> Image.Image:
    """The surroundings of ``box`` at mini's size; beyond the picture its rim goes on."""
    small, side = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX), SIZE
    wide = Image.fromarray(np.pad(np.asarray(small), ((side, side), (side, side), (0, 0)), mode="edge"))
    reach = max(max(box[2:]) * factor, 4 / side) * side / 2
    x, y = ((box[i] + box[i + 2] / 2) * side + side for i in (0, 1))
    most = 3.0 * side
    area = (max(x - reach, 0.0), max(y - reach, 0.0), min(x + reach, most), min(y + reach, most))
    return wide.resize((side, side), Image.Resampling.BICUBIC, box=area)
