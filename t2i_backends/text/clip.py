"""A CLIP text encoder: prompts of any length in chunks, words with weights, any layer.

A prompt of up to one chunk (75 tokens for the published models) is encoded as the stock pipelines do. Longer ones
become several chunks one after the other, and a weight moves a token's state away from that of the empty prompt:
``empty + weight * (state - empty)``, both as in ComfyUI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from imagewright.t2i_backends.text.weights import weigh_words

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
    """A CLIP text model and its tokenizer."""

    model: Any
    tokenizer: Any
    device: Any = "cpu"
    """Where it computes."""

    @torch.inference_mode()
    def encode(self, text: str, chunked: bool = True) -> ClipText:
        """``text`` through the model; without ``chunked`` only its first chunk."""
        ids, weights, total, room = self._tokens(text, chunked)
        parts = [self._run(chunk) for chunk in ids]
        layers, final, pooled = zip(*parts, strict=True)
        joined = [torch.cat(states, dim=1) for states in zip(*layers, strict=True)]
        last = torch.cat(final, dim=1)
        if any(weight != 1 for weight in weights):
            joined, last = self._weigh(joined, last, weights)
        return ClipText(tuple(joined), last, pooled[0], total, room)

    def _run(self, chunk: list[int]) -> tuple[tuple[torch.Tensor, ...], torch.Tensor, torch.Tensor]:
        found = self.model(torch.tensor([chunk], device=self.device), output_hidden_states=True)
        pooled = found.text_embeds if hasattr(found, "text_embeds") else found.pooler_output
        return tuple(found.hidden_states), found.last_hidden_state, pooled

    def _weigh(
        self, layers: list[torch.Tensor], last: torch.Tensor, weights: list[float]
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        frame, _, _, _ = self._tokens("", False)
        empty_layers, empty_last, _ = self._run(frame[0])
        count = last.shape[1] // empty_last.shape[1]
        scale = torch.tensor(weights, device=last.device, dtype=last.dtype)[None, :, None]

        def move(states: torch.Tensor, empty: torch.Tensor) -> torch.Tensor:
            away = empty.repeat(1, count, 1)
            return away + (states - away) * scale

        return [move(*pair) for pair in zip(layers, empty_layers, strict=True)], move(last, empty_last)

    def _tokens(self, text: str, chunked: bool) -> tuple[list[list[int]], list[float], int, int]:
        """Chunks of ids, one weight for each id, how many tokens there were, and how many fit into a chunk."""
        tokenizer = self.tokenizer
        frame = tokenizer("")["input_ids"]
        begin, end = frame[:-1], frame[-1:]
        room = int(min(tokenizer.model_max_length, self.model.config.max_position_embeddings))
        inside: list[tuple[int, float]] = []
        for piece, weight in weigh_words(text):
            found = tokenizer(piece, truncation=False)["input_ids"]
            inside += [(token, weight) for token in found[len(begin) : len(found) - 1]]
        step = room - len(frame)
        most = _MAX_CHUNKS if chunked else 1
        chunks = [inside[at : at + step] for at in range(0, max(len(inside), 1), step)][:most]
        ids, weights = [], []
        for chunk in chunks:
            spare = step - len(chunk)
            ids.append([*begin, *(token for token, _ in chunk), *end, *[tokenizer.pad_token_id] * spare])
            weights += [1.0] * len(begin) + [weight for _, weight in chunk] + [1.0] * (1 + spare)
        return ids, weights, len(inside) + len(frame), room
