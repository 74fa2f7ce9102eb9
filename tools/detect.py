"""Detectors as tools: what the critic looks with, and what scores evidence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imagewright.errors import Fault
from imagewright.ports import Picture
from imagewright.schemas import Detection

if TYPE_CHECKING:
    from imagewright.t2i_backends.mini.detector import DetectorNet

Name = Literal["critic", "evidence"]
_WEIGHTS = Path(__file__).resolve().parent.parent / "t2i_backends" / "mini" / "weights"


class MiniDetector:
    """One of the two detectors trained for mini's world (see ``t2i_backends/mini/train_detector.py``).

    The background is reported as a detection of the object ``background`` whose box is the whole canvas.
    """

    def __init__(self, net: DetectorNet, name: str) -> None:
        from imagewright.t2i_backends.mini.world import COLOURS, SHAPES

        self._net = net
        self.name = name
        self.labels = frozenset((*SHAPES, "background"))
        self.colours = frozenset(COLOURS)

    @classmethod
    def load(cls, name: Name) -> MiniDetector:
        """Load the detector ``name`` from the package.

        Raises:
            Fault: its weights are not where the installation puts them.
        """
        from imagewright.t2i_backends.mini.detector import load_net

        path = weights_file(name)
        return cls(load_net(path), f"mini-{name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}")

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """What it sees in ``image``, surest first, then the background."""
        from imagewright.t2i_backends.mini.detector import find

        found, background = find(self._net, image)
        things = [
            Detection(
                object=f.shape, attributes=(f.colour,), score=f.score,
                x=f.box[0], y=f.box[1], width=f.box[2], height=f.box[3],
            )
            for f in found
        ]  # fmt: skip
        paper = Detection(object="background", attributes=(background,), score=1.0, x=0, y=0, width=1, height=1)
        return (*things, paper)


def weights_file(name: Name) -> Path:
    """Where the weights of detector ``name`` are.

    Raises:
        Fault: they are missing.
    """
    path = _WEIGHTS / f"detector-{name}.safetensors"
    if not path.is_file():
        raise Fault(f"the detector's weights are missing: {path}", "reinstall imagewright, or run `make mini`")
    return path
