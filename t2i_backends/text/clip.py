"""A CLIP text encoder: prompts of any length in chunks, words with weights, any layer.

A prompt of up to one chunk (75 tokens for the published models) is encoded as the stock pipelines do. Longer ones
become several chunks one after the other, and a weight moves a token's state away from that of the empty prompt:
``empty + weight * (state - empty)``, both as in ComfyUI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from imagewright.t2i_backends.text.tokens import Reader, Token, ids_of, pack_chunks, put_vectors

_MAX_CHUNKS = 32


@dataclass(frozen=True)
class ClipText:
    """What a CLIP text encoder makes of a prompt."""

    layers: tuple[torch.Tensor, ...]
    """The states after each layer, ``(1, tokens, width)``, weighted; the last one without the final norm."""
    final: torch.Tensor
    """The last states with the final norm."""
    pooled: torch.Tensor
    """``(1, width)``: projected where the model projects, else the state at the end token. Of the first chunk."""
    tokens: int
    """Tokens of the whole prompt, with those that frame it."""
    room: int
    """Tokens of one chunk, with those that frame it."""

    def layer(self, stop: int) -> torch.Tensor:
        """The states after one layer, counted from the end; those of the first where there are fewer."""
        return self.layers[max(stop, -len(self.layers))]

    def cut(self, text: str) -> str:
        """What of ``text`` was cut off where only its first chunk was read, in words; empty for nothing."""
        return describe_cut(self.room, self.tokens, text)


def describe_cut(room: int, tokens: int, text: str) -> str:
    """That only ``room`` of the ``tokens`` of ``text`` were read; empty where all were."""
    return f"{room} of {tokens} tokens of {text[:60]!r}" if tokens > room else ""


@dataclass(frozen=True)
class ClipEncoder:
    """A CLIP text model and what reads prompts for it."""

    model: Any
    reader: Reader
    device: Any = "cpu"
    """Where it computes."""

    @torch.inference_mode()
    def encode(self, text: str, chunked: bool = True, projected: bool = True) -> ClipText:
        """``text`` through the model; without ``chunked`` only its first chunk.

        Without ``projected`` the pooled vector of a model that projects is the one before its projection.
        """
        chunks, weights, total, room = self._chunks(text, chunked)
        parts = [self._run(chunk, projected) for chunk in chunks]
        layers, final, pooled = zip(*parts, strict=True)
        joined = [torch.cat(states, dim=1) for states in zip(*layers, strict=True)]
        last = torch.cat(final, dim=1)
        if any(weight != 1 for weight in weights):
            joined, last = self._weigh(joined, last, weights)
        return ClipText(tuple(joined), last, pooled[0], total, room)

    def _run(
        self, chunk: list[Token], projected: bool = True
    ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor, torch.Tensor]:
        kept: list[torch.Tensor] = []
        hook = None
        if not projected and hasattr(self.model, "text_projection"):
            hook = self.model.text_projection.register_forward_pre_hook(lambda module, given: kept.append(given[0]))
        try:
            with put_vectors(self.model.get_input_embeddings(), chunk):
                found = self.model(torch.tensor([ids_of(chunk)], device=self.device), output_hidden_states=True)
        finally:
            if hook is not None:
                hook.remove()
        pooled = found.text_embeds if hasattr(found, "text_embeds") else found.pooler_output
        return tuple(found.hidden_states), found.last_hidden_state, kept[0] if kept else pooled

    def _weigh(
        self, layers: list[torch.Tensor], last: torch.Tensor, weights: list[float]
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        chunks, _, _, _ = self._chunks("", False)
        empty_layers, empty_last, _ = self._run(chunks[0])
        count = last.shape[1] // empty_last.shape[1]
        return (
            [weigh_states(states, empty.repeat(1, count, 1), weights)
             for states, empty in zip(layers, empty_layers, strict=True)],
            weigh_states(last, empty_last.repeat(1, count, 1), weights),
        )  # fmt: skip

    def _chunks(self, text: str, chunked: bool) -> tuple[list[list[Token]], list[float], int, int]:
        """Chunks of tokens, one weight for each, how many tokens there were, and how many fit into a chunk."""
        tokenizer, (begin, end) = self.reader.tokenizer, self.reader.frame()
        room = int(min(tokenizer.model_max_length, self.model.config.max_position_embeddings))
        groups = self.reader.read(text)
        step = room - len(begin) - len(end)
        most = _MAX_CHUNKS if chunked else 1
        chunks, weights = [], []
        for chunk in pack_chunks(groups, step)[:most]:
            spare = step - len(chunk)
            chunks.append([*begin, *(token for token, _ in chunk), *end, *[tokenizer.pad_token_id] * spare])
            weights += [1.0] * len(begin) + [weight for _, weight in chunk] + [1.0] * (len(end) + spare)
        return chunks, weights, sum(map(len, groups)) + len(begin) + len(end), room


def weigh_states(states: torch.Tensor, empty: torch.Tensor, weights: Sequence[float]) -> torch.Tensor:
    """``empty + weight * (states - empty)`` token by token; all are ``(1, tokens, width)``."""
    scale = torch.tensor(weights, device=states.device, dtype=states.dtype)[None, :, None]
    return empty + (states - empty) * scale
