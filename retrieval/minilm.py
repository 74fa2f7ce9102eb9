"""all-MiniLM-L6-v2 in numpy: a short text is embedded without importing torch, which takes seconds.

The network is BERT's encoder as the weights' ``config.json`` describes it: six layers of twelve heads, then the mean
over the word pieces, brought to length one. Its vectors are those of sentence-transformers up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Vector = NDArray[np.float32]

LONGEST = 256
"""Word pieces of a text that count, with the two marks about it."""
_LAYERS, _HEADS = 6, 12
_EPSILON = 1e-12
_AT_ONCE = 4096
"""Word pieces that go through the network together, padding counted."""
_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
_ERF_SCALE = 0.3275911
"""The coefficients of Abramowitz and Stegun 7.1.26, off by at most 1.5e-7."""


class MiniLM:
    """The model of a folder with ``model.safetensors`` and ``tokenizer.json``; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._pieces.enable_truncation(LONGEST)
        self._pieces.no_padding()
        self._weights: Mapping[str, Vector] = load_file(folder / "model.safetensors")

    def embed(self, texts: list[str]) -> list[Vector]:
        """A unit vector of 384 for each text."""
        pieces = [each.ids for each in self._pieces.encode_batch(texts)]
        found: dict[int, Vector] = {}
        for batch in _batches(pieces):
            found.update(zip(batch, self._run([pieces[text] for text in batch]), strict=True))
        return [found[text] for text in range(len(texts))]

    def _run(self, pieces: Sequence[Sequence[int]]) -> Vector:
        """n × 384 for n texts of about one length."""
        longest = max(map(len, pieces))
        ids = np.array([[*each, *[0] * (longest - len(each))] for each in pieces])
        there = np.arange(longest)[None, :] < np.array([len(each) for each in pieces])[:, None]
        weights, name = self._weights, "embeddings"
        state = weights[f"{name}.word_embeddings.weight"][ids]
        state += weights[f"{name}.position_embeddings.weight"][:longest]
        state += weights[f"{name}.token_type_embeddings.weight"][0]
        state = self._norm(state, f"{name}.LayerNorm")
        hidden = np.where(there, np.float32(0.0), np.float32(-3e38))[:, None, None, :]
        for layer in range(_LAYERS):
            state = self._layer(state, hidden, f"encoder.layer.{layer}")
        mean = (state * there[:, :, None]).sum(axis=1) / there.sum(axis=1, keepdims=True).astype(np.float32)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    def _layer(self, state: Vector, hidden: Vector, name: str) -> Vector:
        heard = self._linear(self._attend(state, hidden, f"{name}.attention.self"), f"{name}.attention.output.dense")
        state = self._norm(state + heard, f"{name}.attention.output.LayerNorm")
        wide = _gelu(self._linear(state, f"{name}.intermediate.dense"))
        return self._norm(state + self._linear(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attend(self, state: Vector, hidden: Vector, name: str) -> Vector:
        """n × t × d: what each word piece takes from the others of its text; ``hidden`` keeps padding out."""
        texts, length, width = state.shape
        shape = (texts, length, _HEADS, width // _HEADS)
        query, key, value = (
            self._linear(state, f"{name}.{part}").reshape(shape).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        score = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(width // _HEADS)) + hidden
        score = np.exp(score - score.max(axis=-1, keepdims=True))
        score /= score.sum(axis=-1, keepdims=True)
        return np.asarray((score @ value).transpose(0, 2, 1, 3).reshape(texts, length, width))

    def _linear(self, state: Vector, name: str) -> Vector:
        flat = state.reshape(-1, state.shape[-1]) @ self._weights[f"{name}.weight"].T
        flat += self._weights[f"{name}.bias"]
        return flat.reshape(*state.shape[:-1], -1)

    def _norm(self, state: Vector, name: str) -> Vector:
        centred = state - state.mean(axis=-1, keepdims=True)
        centred /= np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        return np.asarray(centred * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])


def _batches(pieces: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Numbers of texts of about one length, so that little is padded."""
    batch: list[int] = []
    for text in sorted(range(len(pieces)), key=lambda text: len(pieces[text])):
        if batch and (len(batch) + 1) * len(pieces[text]) > _AT_ONCE:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _gelu(value: Vector) -> Vector:
    """The exact Gaussian error linear unit."""
    size = np.abs(value) * np.float32(1.0 / math.sqrt(2.0))
    step = 1.0 / (1.0 + np.float32(_ERF_SCALE) * size)
    tail = np.full_like(step, _ERF[0])
    for factor in _ERF[1:]:
        tail *= step
        tail += np.float32(factor)
    tail *= step * np.exp(-size * size) * np.float32(0.5)
    return np.asarray(value * np.where(value > 0, 1.0 - tail, tail), dtype=np.float32)
