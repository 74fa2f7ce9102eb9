"""Texts through the encoders of a family, which knows what it reads of them and how that is put together.

With one chunk of text and no weights CLIP's results are those of the stock diffusers pipelines; T5's are where the
rules say ``text=stock``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from imagewright.errors import BadInput
from imagewright.t2i_backends.families.table import known_families
from imagewright.t2i_backends.text.clip import ClipEncoder, describe_cut, weigh_states
from imagewright.t2i_backends.text.inversions import Inversions
from imagewright.t2i_backends.text.tokens import Reader, Token, ids_of, put_vectors
from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning
from imagewright.t2i_backends.values.rules import Rules

Texts = Mapping[str, str | None]
"""The text for each role of encoder; None for no text at all, where a family knows the difference to an empty one."""
Encoded = tuple[torch.Tensor, torch.Tensor | None, tuple[str, ...]]
"""States ``(1, tokens, width)``, the pooled vector ``(1, width)`` where there is one, what was cut off in words."""
MOST_TOKENS = 2400
"""How far T5's sequence grows; its memory grows with the square."""


@dataclass(frozen=True)
class Encoders:
    """The loaded text encoders of one family, by role: ``clip_l``, ``clip_g``, ``t5``."""

    family: str
    parts: Mapping[str, tuple[Any, Any]]
    """Role → model and tokenizer."""
    device: Any = "cpu"
    """Where they compute."""
    t5_width: int = 4096
    """The width that the diffusion model reads, for where the T5 encoder is left out."""
    lone: frozenset[str] = frozenset()
    """The roles that came from a lone file, as ComfyUI's do."""
    rules: Rules = field(default_factory=Rules)
    inversions: Inversions = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    """What was left out of the texts, in words; added to while they are read."""

    @property
    def stock(self) -> bool:
        """Whether texts are as long as the stock pipelines make them, and T5 reads brackets as they are typed."""
        return self.rules.is_before or self.rules.text == "stock"

    def clip(self, role: str) -> ClipEncoder:
        """One CLIP encoder."""
        model, _ = self.parts[role]
        return ClipEncoder(model, self._reader(role, model.config.hidden_size), self.device)

    def _reader(self, role: str, width: int) -> Reader:
        return Reader(self.parts[role][1], role, width, self.rules.is_before, self.inversions, self.remarks)

    def read_t5(self, text: str | None, stock_length: int, least: int = 0) -> tuple[torch.Tensor, str]:
        """T5's states of ``text`` and what was cut off in words.

        Padded to ``stock_length`` tokens as the stock pipelines do it; else to ``least`` (``stock_length`` where none
        is given) and longer where the text is, as in ComfyUI. An encoder that takes fewer tokens has its own length
        either way. None is the end token alone.
        """
        least = least or stock_length
        model, tokenizer = self.parts["t5"]
        own = int(min(tokenizer.model_max_length, 1_000_000))
        if self.stock:
            length = min(own, stock_length)
            found = tokenizer(text or "", padding="max_length", max_length=length, truncation=True, return_tensors="pt")
            tokens = len(tokenizer(text or "", truncation=False)["input_ids"])
            return model(found["input_ids"].to(self.device))[0], describe_cut(length, tokens, text or "")
        reader = self._reader("t5", model.config.d_model)
        begin, end = reader.frame()
        if text is None:
            return self._run_t5([*begin, *end]), ""
        inside = [pair for group in reader.read(text) for pair in group]
        room, frame = own if own < least else MOST_TOKENS, len(begin) + len(end)
        kept = inside[: room - frame]
        length = max(min(own, least), len(kept) + frame)
        pads = [tokenizer.pad_token_id] * (length - frame - len(kept))
        states = self._run_t5([*begin, *(token for token, _ in kept), *end, *pads])
        weights = [*[1.0] * len(begin), *(weight for _, weight in kept), *[1.0] * (len(end) + len(pads))]
        if any(weight != 1 for weight in weights):
            empty = self._run_t5([*begin, *end, *[tokenizer.pad_token_id] * (length - frame)])
            states = weigh_states(states, empty, weights)
        return states, describe_cut(room, len(inside) + frame, text)

    def _run_t5(self, tokens: Sequence[Token]) -> torch.Tensor:
        model, _ = self.parts["t5"]
        with put_vectors(model.encoder.embed_tokens, tokens):
            states: torch.Tensor = model(torch.tensor([ids_of(tokens)], device=self.device))[0]
        return states


def texts_for(text: str) -> Texts:
    """One text for every encoder."""
    return {"clip_l": text, "clip_g": text, "t5": text}


@torch.inference_mode()
def encode_texts(
    encoders: Encoders,
    handle: ClipHandle,
    texts: Texts,
    rules: Rules | None = None,
    inversions: Inversions | None = None,
) -> Conditioning:
    """``texts`` through the encoders, onto the CPU; ``truncated`` says what was cut off, ``remarks`` what was left out.

    Raises:
        BadInput: a text encoder that the family needs is missing.
    """
    family = known_families()[encoders.family]
    encoders = replace(encoders, rules=rules or Rules(), inversions=inversions or {}, remarks=[])
    try:
        embeds, pooled, cuts = family.encode(encoders, texts, handle.stop)
    except KeyError as error:
        raise BadInput(f"the text encoder {error.args[0]} is missing", "load it with the CLIP loader") from error
    return Conditioning(
        embeds.cpu(), None if pooled is None else pooled.cpu(), handle, truncated=tuple(cut for cut in cuts if cut),
        remarks=tuple(encoders.remarks),
    )  # fmt: skip


def zero_out(found: Conditioning) -> Conditioning:
    """The same conditioning with its text and pooled vector set to zero."""
    pooled = None if found.pooled is None else torch.zeros_like(found.pooled)
    return replace(found, embeds=torch.zeros_like(found.embeds), pooled=pooled, truncated=())
