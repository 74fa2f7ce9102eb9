"""Whether a noun's token tells where its things stand: what makes a text encoder read who is left of whom.

Order and relation words decide it together ("a left of b", "left of a is b"), and neither helps without the other, so a
small encoder that learns from pictures alone stays for very long where it knows what is there and on which axis, but
not which comes first. Asked at each noun it finds out within minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagewright.t2i_backends.mini.captions import plural_noun, synonyms
from imagewright.t2i_backends.mini.world import SHAPES, Scene

_EDGES = (0.4, 0.6)
"""Between the three places of an axis: left, middle and right; above, middle and below."""


def noun_shapes() -> dict[str, str]:
    """Every noun of mini's captions, and the shape that it names."""
    names = {shape: shape for shape in SHAPES}
    names |= {noun: shape for noun, shape in synonyms().items() if shape in SHAPES}
    return names | {plural_noun(noun): shape for noun, shape in names.items()}


class PlaceReader(nn.Module):
    """A linear head over T5's tokens: at every noun, where on each axis the middle of its group is."""

    def __init__(self, vocabulary: dict[str, int], width: int) -> None:
        super().__init__()
        self.shapes = {vocabulary[noun]: s for noun, s in noun_shapes().items() if noun in vocabulary}
        self.head = nn.Linear(width, 2 * (len(_EDGES) + 1))

    def loss(self, tokens: Tensor, ids: Tensor, scenes: Sequence[Scene]) -> tuple[Tensor, Tensor]:
        """The mean loss of all answers and the share of nouns that are read right on both axes.

        Args:
            tokens: the encoder's output, ``(batch, length, width)``.
            ids: what it read, ``(batch, length)``; a row may say nothing of its scene.
            scenes: what the captions are of. Two groups of one shape are passed over: their nouns are the same.
        """
        rows, columns, places = self._answers(ids, scenes)
        if not rows:
            return tokens.new_zeros(()), tokens.new_ones(())
        guesses = self.head(tokens[rows, columns].float()).unflatten(-1, (2, -1))
        truth = torch.bucketize(torch.tensor(places, device=tokens.device), torch.tensor(_EDGES, device=tokens.device))
        share = (guesses.argmax(-1) == truth).all(-1).float().mean()
        return F.cross_entropy(guesses.flatten(0, 1), truth.flatten()), share

    def _answers(self, ids: Tensor, scenes: Sequence[Scene]) -> tuple[list[int], list[int], list[tuple[float, float]]]:
        rows, columns, places = [], [], []
        for row, (line, scene) in enumerate(zip(ids.tolist(), scenes, strict=True)):
            middles = _middles(scene)
            for column, token in enumerate(line):
                if (middle := middles.get(self.shapes.get(token, ""))) is not None:
                    rows.append(row)
                    columns.append(column)
                    places.append(middle)
        return rows, columns, places


def _middles(scene: Scene) -> dict[str, tuple[float, float]]:
    """The middle of each shape's things, where the shape is one group's only."""
    found = {}
    for shape in {group.shape for group in scene.groups}:
        if sum(group.shape == shape for group in scene.groups) == 1:
            things = [thing for thing in scene.things if thing.shape == shape]
            found[shape] = (sum(t.x for t in things) / len(things), sum(t.y for t in things) / len(things))
    return found
