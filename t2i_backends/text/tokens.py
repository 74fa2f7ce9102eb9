"""A prompt as tokens with weights, in groups that stay together, and groups in chunks: as ComfyUI reads it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from imagewright.t2i_backends.text.inversions import Inversions
from imagewright.t2i_backends.text.weights import weigh_words
from imagewright.t2i_backends.text.words import Piece, read_pieces

LONG_GROUP = 8
"""Groups of fewer tokens than this are not broken at the end of a chunk but begin the next one."""
Token = int | torch.Tensor
"""An id of the vocabulary, or a vector that stands for one."""
Weighed = tuple[Token, float]


@dataclass(frozen=True)
class Reader:
    """What turns a prompt into the tokens of one encoder."""

    tokenizer: Any
    role: str
    width: int
    """Numbers of one token's vector."""
    before: bool = False
    """Whether prompts are read by the first rules: no textual inversions, and groups may break anywhere."""
    inversions: Inversions = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    """What was left out, in words; added to."""

    def frame(self) -> tuple[list[int], list[int]]:
        """The tokens before and after every prompt."""
        found = self.tokenizer("")["input_ids"]
        return found[:-1], found[-1:]

    def read(self, text: str) -> list[list[Weighed]]:
        """The groups of a prompt: words of one weight, or a textual inversion."""
        if self.before:
            return [[(token, weight) for words, weight in weigh_words(text) for token in self._tokens(words)]]
        return [group for piece in read_pieces(text) for group in self._groups(piece)]

    def _groups(self, piece: Piece) -> Iterator[list[Weighed]]:
        words, weight = piece.text, piece.weight
        known = self.inversions.get(piece.inversion) if piece.inversion else None
        if known is not None:
            vectors, problem = known.read(self.role, self.width)
            if vectors is not None:
                yield [(vector, weight) for vector in vectors]
            elif problem not in self.remarks:
                self.remarks.append(problem)
            words = f"{known.after} {words}".strip()
        elif piece.inversion:
            words = f"embedding:{piece.inversion} {words}"
        if words or not piece.inversion:
            yield [(token, weight) for token in self._tokens(words)]

    def _tokens(self, words: str) -> list[int]:
        begin, end = self.frame()
        found: list[int] = self.tokenizer(words, truncation=False)["input_ids"]
        return found[len(begin) : len(found) - len(end)]


def pack_chunks(groups: Sequence[Sequence[Weighed]], room: int) -> list[list[Weighed]]:
    """Groups in chunks of ``room`` tokens: a short one that does not fit any more begins the next chunk."""
    chunks: list[list[Weighed]] = [[]]
    for group in groups:
        left, breaks = list(group), len(group) >= LONG_GROUP or len(group) > room
        while len(left) > (free := room - len(chunks[-1])):
            if breaks:
                chunks[-1] += left[:free]
                left = left[free:]
            chunks.append([])
        chunks[-1] += left
    return chunks


def ids_of(tokens: Sequence[Token]) -> list[int]:
    """The ids of ``tokens``; 0, which ends no prompt, holds the place of a vector."""
    return [token if isinstance(token, int) else 0 for token in tokens]


@contextlib.contextmanager
def put_vectors(table: Any, tokens: Sequence[Token]) -> Iterator[None]:
    """Inside the block the token ``table`` of a model gives the vectors among ``tokens`` in their places."""
    placed = [(at, token) for at, token in enumerate(tokens) if isinstance(token, torch.Tensor)]

    def place(module: Any, inputs: Any, states: torch.Tensor) -> torch.Tensor:
        states = states.clone()
        for at, vector in placed:
            states[:, at] = vector.to(states.device, states.dtype)
        return states

    hook = table.register_forward_hook(place) if placed else None
    try:
        yield
    finally:
        if hook is not None:
            hook.remove()
