"""Teaches mini's text encoders to read captions before anything is drawn: minutes that save hours.

The flow's own loss says little about words while its pictures are still noise. Here the encoders answer questions
about the scene that a caption describes: how many of each shape, in which colours, before which background, in which
style, and where things stand (``reading.py``). The answering heads are thrown away. Run by ``train.py`` when it begins.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import FluxPipeline
from torch import Tensor, nn

from imagewright.t2i_backends.mini import sizes
from imagewright.t2i_backends.mini.arrangements import arrange
from imagewright.t2i_backends.mini.captions import caption
from imagewright.t2i_backends.mini.training.reading import PlaceReader
from imagewright.t2i_backends.mini.training.training import TrainingProgress, load_if_there, save_atomically
from imagewright.t2i_backends.mini.world import COLOURS, MOST_THINGS, PATTERNS, SHAPES, STYLES, Scene, sample_scene

_UNSAID = 0
"""The background's answer where the caption does not name it."""


class Questions(nn.Module):
    """Heads over T5's tokens (one query a shape and one for the scene) and over CLIP's pooled vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        shapes = len(SHAPES)
        self.queries = nn.Parameter(torch.randn(shapes + 1, width))
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.of_shape = nn.Linear(width, MOST_THINGS + 1 + len(COLOURS))
        self.of_scene = nn.Linear(width, sum(self.scene_sizes))
        self.of_pooled = nn.Linear(sizes.POOLED_WIDTH, shapes + len(COLOURS) + sum(self.scene_sizes))

    @property
    def scene_sizes(self) -> list[int]:
        """How many answers there are to: which background, which pattern, which style, how many things."""
        return [len(COLOURS) + 1, len(PATTERNS), len(STYLES), MOST_THINGS + 1]

    def loss(self, tokens: Tensor, pooled: Tensor, answers: Answers) -> tuple[Tensor, Tensor]:
        """The mean loss of all answers, and the share of captions whose shapes are all read right."""
        seen, _ = self.look(self.queries.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)
        counts, colours = self.of_shape(seen[:, :-1]).split([MOST_THINGS + 1, len(COLOURS)], dim=-1)
        loss = F.cross_entropy(counts.flatten(0, 1), answers.counts.flatten())
        loss = loss + F.binary_cross_entropy_with_logits(colours, answers.colours)
        loss = loss + self._scene_loss(self.of_scene(seen[:, -1]), answers)
        shapes, all_colours = len(SHAPES), len(COLOURS)
        there, shown, scene = self.of_pooled(pooled).split([shapes, all_colours, sum(self.scene_sizes)], dim=-1)
        loss = loss + F.binary_cross_entropy_with_logits(there, (answers.counts > 0).float())
        loss = loss + F.binary_cross_entropy_with_logits(shown, answers.colours.amax(dim=1))
        loss = loss + self._scene_loss(scene, answers)
        right = (counts.argmax(-1) == answers.counts).all(1)
        right &= ((colours > 0) == (answers.colours > 0.5)).flatten(1).all(1)
        return loss, right.float().mean()

    def _scene_loss(self, logits: Tensor, answers: Answers) -> Tensor:
        parts = zip(logits.split(self.scene_sizes, dim=-1), answers.scene.unbind(1), strict=True)
        return torch.stack([F.cross_entropy(guess, truth) for guess, truth in parts]).sum()


class Answers:
    """What the captions of ``scenes`` say, as tensors."""

    def __init__(self, scenes: Sequence[Scene], captions: Sequence[str]) -> None:
        colours = tuple(COLOURS)
        self.counts = torch.zeros(len(scenes), len(SHAPES), dtype=torch.long)
        self.colours = torch.zeros(len(scenes), len(SHAPES), len(colours))
        self.scene = torch.zeros(len(scenes), 4, dtype=torch.long)
        for i, (scene, text) in enumerate(zip(scenes, captions, strict=True)):
            for group in scene.groups:
                shape = SHAPES.index(group.shape)
                self.counts[i, shape] += group.count
                self.colours[i, shape, colours.index(group.colour)] = 1
            named = "backdrop" in text or "background" in text
            self.scene[i, 0] = colours.index(scene.background) + 1 if named else _UNSAID
            self.scene[i, 1] = PATTERNS.index(scene.pattern)
            self.scene[i, 2] = STYLES.index(scene.style)
            self.scene[i, 3] = len(scene.things)


def teach(pipeline: FluxPipeline, work: Path, steps: int, batch: int, seed: int) -> None:
    """Train the text encoders of ``pipeline`` on the CPU, or take them from the finished checkpoint in ``work``."""
    path = work / "text.pt"
    clip, t5, tokenizer = pipeline.text_encoder, pipeline.text_encoder_2, pipeline.tokenizer
    torch.manual_seed(seed)
    asked = Questions(t5.config.d_model)
    reader = PlaceReader(tokenizer.get_vocab(), t5.config.d_model)
    together = nn.ModuleList([clip, t5, asked, reader])
    optimiser = torch.optim.AdamW(together.parameters(), lr=2e-3, weight_decay=0.01, betas=(0.9, 0.98))
    start = 0
    if (saved := load_if_there(path)) is not None:
        together.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        start = saved["step"]
    progress = TrainingProgress("text", steps, start, every=100)
    for step in range(start, steps):
        rng = random.Random(f"text/{seed}/{step}")
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 100, (steps - step) / (0.5 * steps))
        fallen = [sample_scene(rng) for _ in range(batch)]
        scenes = [arrange(scene, rng) for scene in fallen]
        captions = [caption(scene, rng) for scene in scenes]
        ids = tokenizer(
            captions, padding="max_length", truncation=True, max_length=sizes.PROMPT_TOKENS, return_tensors="pt"
        ).input_ids
        tokens = t5(ids)[0]
        loss, right = asked.loss(tokens, clip(ids).pooler_output, Answers(scenes, captions))
        place_loss, placed = reader.loss(tokens, ids, scenes)
        loss = loss + place_loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(together.parameters(), 1.0)
        optimiser.step()
        progress.tell(step + 1, loss.item())
        if (step + 1) % 250 == 0 or step + 1 == steps:
            print(f"captions read right: {right:.2f}, nouns placed right: {placed:.2f}", flush=True)
            state = {"model": together.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            save_atomically(state, path)
