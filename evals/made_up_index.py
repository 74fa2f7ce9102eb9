"""An index of made-up flows and scores of any size, the same for the same seed, written straight into the tables.

Flows are the shipped ones with other titles, steps and cards; their vectors are drawn about the centres of themes
instead of embedded, for what is measured is finding, not reading. Each flow is scored on a few prompts, the strong and
the old ones on many; a score is the prompt's level, the flow's strength, what it gains in the prompt's theme, and noise.
"""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagewright.database import database, transaction
from imagewright.errors import BadInput
from imagewright.retrieval import store
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.embed import Vector
from imagewright.retrieval.evidence import PromptFacts
from imagewright.schemas import Evidence, Flow, ParsedGroup, ParsedPrompt, ParsedRelation

BACKEND = "diffusers"
THEMES = 60
_THINGS = "castle river fox owl lantern harbour violin orchard comet desert kettle meadow tram whale star house".split()
_STYLES = ("watercolour", "ink", "anime", "photo", "pixel art", "oil painting", "isometric", "poster")
_LABELS = ("People", "Animals", "Counting", "Spatial", "Colours", "Text", "Anime", "Landscape", "Objects", "Abstract")
_COMMIT = 2000


@dataclass(frozen=True)
class Size:
    """How large an index to make."""

    flows: int
    scores: int
    prompts: int
    seed: int = 1
    measured: float = 0.6
    """The share of flows that have any score."""


@dataclass(frozen=True)
class Asked:
    """A prompt to choose for: never scored, of the same world."""

    text: str
    parsed: ParsedPrompt
    labels: tuple[str, ...]
    vector: Vector


class World:
    """The themes, and what is drawn from them."""

    def __init__(self, size: Size, dimension: int) -> None:
        self.size = size
        self._rng = np.random.default_rng(size.seed)
        self._themes = self._rng.normal(size=(THEMES, dimension)).astype(np.float32)
        self._labels = [tuple(sorted(random.Random(t).sample(_LABELS, 1 + t % 3))) for t in range(THEMES)]

    def near_theme(self, theme: int, rng: np.random.Generator, spread: float = 0.9) -> Vector:
        """A unit vector about a theme."""
        found = self._themes[theme] + spread * rng.normal(size=self._themes.shape[1]).astype(np.float32)
        return np.asarray(found / np.linalg.norm(found), dtype=np.float32)

    def labels(self, theme: int) -> tuple[str, ...]:
        """The categories of a theme's prompts."""
        return self._labels[theme]

    def prompt(self, number: int, asked: bool = False) -> Asked:
        """The prompt with this number; other ones are ``asked`` than are scored."""
        rng = random.Random(f"{self.size.seed} {number} {asked}")
        theme = rng.randrange(THEMES)
        groups = tuple(
            ParsedGroup(object=rng.choice(_THINGS), attributes=(rng.choice(_STYLES),), count=rng.choice((1, 1, 1, 2, 3)))
            for _ in range(rng.choice((1, 1, 2, 3)))
        )
        related = len(groups) > 1 and rng.random() < 0.5
        relations = (ParsedRelation(subject=0, relation="left", object=1),) if related else ()
        words = ", ".join(f"{group.count} {group.attributes[0]} {group.object}" for group in groups)
        vector = self.near_theme(theme, np.random.default_rng([self.size.seed, number, int(asked)]), 0.6)
        text = f"{'asked' if asked else 'scored'} {number}: {words}"
        return Asked(text, ParsedPrompt(groups=groups, relations=relations), self.labels(theme), vector)


def make_index(path: Path, size: Size, dimension: int) -> World:
    """Write the index that ``size`` asks for to ``path``, unless it is there already.

    Raises:
        BadInput: the file holds another index, or the disk does not take it.
    """
    world, wanted = World(size, dimension), repr(size)
    with database(path, store.OWNER, store.INDEX_TABLES) as db:
        if store.fact(db, "made-up") == wanted:
            return world
        if store.generation(db):
            raise BadInput(f"{path} holds another index", "remove it, or name another folder")
        db.execute("PRAGMA synchronous = OFF")
        hashes = _put_flows(db, world)
        _put_prompts(db, world)
        _put_scores(db, world, hashes)
        with transaction(db):
            store.note_bulk(db, store.bump(db))
            store.set_fact(db, "made-up", wanted)
    return world


def made_up_flow(number: int, seed: int, bases: tuple[Flow, ...]) -> Flow:
    """The flow with this number: a shipped one with other steps, title and words."""
    rng, base = random.Random(f"{seed} {number}"), bases[number % len(bases)]
    graph = json.loads(json.dumps(base.graph))
    for node in graph.values():
        if "steps" in node["inputs"]:
            node["inputs"] |= {"steps": 1 + number % 50, "cfg": 1 + number // 50 % 15 + (number % 997) / 1000}
    words = [rng.choice(_STYLES), *rng.sample(_THINGS, 2)]
    title, about = " ".join(words), f"Good at {words[1]} and {words[2]} in the style {words[0]}."
    card = base.card.model_copy(update={"title": title, "description": about, "benchmarks": {}})
    return Flow(id=f"made-{number:06}", graph=graph, card=card)


def _put_flows(db: sqlite3.Connection, world: World) -> list[str]:
    bases, hashes = load_shipped_flows(), []
    for first in range(0, world.size.flows, _COMMIT):
        with transaction(db):
            changed = store.bump(db)
            for number in range(first, min(first + _COMMIT, world.size.flows)):
                rng = np.random.default_rng([world.size.seed, 7, number])
                vector = world.near_theme(number % THEMES, rng)
                flow = made_up_flow(number, world.size.seed, bases)
                hashes.append(store.put_flow(db, flow, vector.tolist(), "user", changed))
    return hashes


def _put_prompts(db: sqlite3.Connection, world: World) -> None:
    with transaction(db):
        changed = store.bump(db)
        for number in range(world.size.prompts):
            each = world.prompt(number)
            store.put_prompt(db, each.text, PromptFacts(each.parsed, each.labels), each.vector.tolist(), changed)


def _put_scores(db: sqlite3.Connection, world: World, hashes: list[str]) -> None:
    size = world.size
    rng = np.random.default_rng([size.seed, 11])
    strength = rng.normal(0.0, 0.08, size.flows)
    level, theme = rng.normal(0.6, 0.12, size.prompts), rng.integers(0, THEMES, size.prompts)
    gain = rng.normal(0.0, 0.08, (size.flows, THEMES)).astype(np.float32)
    share = rng.pareto(1.5, size.flows) + 0.2
    share[rng.permutation(size.flows)[: int(size.flows * (1 - size.measured))]] = 0.0
    many = np.minimum(np.floor(share / share.sum() * size.scores * 1.15).astype(int), size.prompts)
    text = [world.prompt(number).text for number in range(size.prompts)]
    done = 0
    for first in range(0, size.flows, _COMMIT):
        with transaction(db):
            for flow in range(first, min(first + _COMMIT, size.flows)):
                for prompt in rng.choice(size.prompts, min(int(many[flow]), size.scores - done), replace=False):
                    value = level[prompt] + strength[flow] + gain[flow, theme[prompt]] + rng.normal(0.0, 0.1)
                    row = Evidence.model_construct(
                        flow=f"made-{flow:06}", prompt=text[prompt], backend=BACKEND, scorer="made-up", seed=0,
                        value=round(float(min(max(value, 0.0), 1.0)), 3), seconds=None, when="2026-01-01T00:00:00Z",
                        source="sweep", graph_hash=hashes[flow],
                    )  # fmt: skip
                    store.put_evidence(db, row, "user")
                    done += 1
