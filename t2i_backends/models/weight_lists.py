"""The weights of the layers that models are made of, by name and shape, as diffusers names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

Weights = dict[str, tuple[int, ...]]
Config = Mapping[str, Any]


class Unusual(ValueError):
    """A config has a part that is not known here, which may be right all the same."""


_MOST = 50_000
"""More weights than any model has; a config may ask for as many layers as it likes."""


class WeightList(Weights):
    """Weights, added layer by layer.

    Raises:
        ValueError: there are too many.
    """

    def __setitem__(self, name: str, shape: tuple[int, ...]) -> None:
        if len(self) >= _MOST:
            raise ValueError(f"it asks for more than {_MOST} weights")
        super().__setitem__(name, shape)

    def linear(self, name: str, out: int, into: int, bias: bool = True) -> None:
        self[f"{name}.weight"] = (out, into)
        if bias:
            self[f"{name}.bias"] = (out,)

    def conv(self, name: str, out: int, into: int, side: int = 3) -> None:
        self[f"{name}.weight"] = (out, into, side, side)
        self[f"{name}.bias"] = (out,)

    def norm(self, *names: str, width: int, bias: bool = True) -> None:
        for name in names:
            self[f"{name}.weight"] = (width,)
            if bias:
                self[f"{name}.bias"] = (width,)

    def resnet(self, name: str, out: int, into: int, time: int = 0) -> None:
        self.norm(f"{name}.norm1", width=into)
        self.conv(f"{name}.conv1", out, into)
        if time:
            self.linear(f"{name}.time_emb_proj", out, time)
        self.norm(f"{name}.norm2", width=out)
        self.conv(f"{name}.conv2", out, out)
        if out != into:
            self.conv(f"{name}.conv_shortcut", out, into, 1)

    def attention(self, name: str, width: int, context: int, bias: bool = False) -> None:
        self.linear(f"{name}.to_q", width, width, bias)
        self.linear(f"{name}.to_k", width, context, bias)
        self.linear(f"{name}.to_v", width, context, bias)
        self.linear(f"{name}.to_out.0", width, width)

    def embedder(self, name: str, width: int, into: int) -> None:
        self.linear(f"{name}.linear_1", width, into)
        self.linear(f"{name}.linear_2", width, width)

    def hint_reader(self, name: str, into: int, widths: Sequence[int], out: int) -> None:
        """What turns a control picture's pixels into the model's cells."""
        self.conv(f"{name}.conv_in", widths[0], into)
        for k, (one, two) in enumerate(pairwise(widths)):
            self.conv(f"{name}.blocks.{2 * k}", one, one)
            self.conv(f"{name}.blocks.{2 * k + 1}", two, one)
        self.conv(f"{name}.conv_out", out, widths[-1])
