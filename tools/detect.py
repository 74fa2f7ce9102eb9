"""Detectors as tools: what the critic looks with, and what scores evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imagewright.errors import Fault
from imagewright.ports import Picture
from imagewright.schemas import Detection
from imagewright.t2i_backends.mini import shipped
from imagewright.t2i_backends.mini.captions import synonyms
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES

if TYPE_CHECKING:
    from imagewright.t2i_backends.mini.detector import DetectorNet

Name = Literal["critic", "evidence"]
SURE: Mapping[Name, float] = {"critic": 0.55, "evidence": 0.5}
"""The score of three looks below which a thing is half-formed (``python -m imagewright.evals.critic_report``).

The critic would rather draw again than deliver a torn thing; evidence errs to both sides alike."""


class MiniDetector:
    """One of the two detectors trained for mini's world (see ``t2i_backends/mini/training/train_detector.py``).

    Each looks twice more at every thing, enlarged: what it scores low there is half-formed.
    The background is reported as a detection of the object ``background`` whose box is the whole canvas.
    """

    def __init__(self, net: DetectorNet, name: str, sure: float) -> None:
        self._net = net
        self.name = name
        self.labels = frozenset((*SHAPES, "background"))
        self.colours = frozenset(COLOURS)
        self.sure = sure
        self.synonyms: Mapping[str, str] = synonyms()
        """Other words for its labels and colours: ``mug`` for ``cup``."""

    @classmethod
    def load(cls, name: Name) -> MiniDetector:
        """Load the detector ``name`` from the package.

        Raises:
            Fault: its weights are not where the installation puts them.
        """
        from imagewright.t2i_backends.mini.detector import load_detector

        path = weights_file(name)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        return cls(load_detector(path), f"mini-{name}-{digest}", SURE[name])

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """What it sees in ``image``, surest first, then the background."""
        from imagewright.t2i_backends.mini.detector import closer, find_things

        found, background = find_things(self._net, image)
        things = [
            Detection(
                object=f.shape, attributes=(f.colour,), score=f.score,
                x=f.box[0], y=f.box[1], width=f.box[2], height=f.box[3],
            )
            for f in closer(self._net, image, found)
        ]  # fmt: skip
        paper = Detection(object="background", attributes=(background,), score=1.0, x=0, y=0, width=1, height=1)
        return (*things, paper)


def weights_file(name: Name) -> Path:
    """Where the weights of the detector ``name`` are.

    Raises:
        Fault: they are missing.
    """
    path = shipped.WEIGHTS / f"detector-{name}.safetensors"
    if not path.is_file():
        raise Fault(f"the detector's weights are missing: {path}", "reinstall imagewright, or run `make mini`")
    return path
