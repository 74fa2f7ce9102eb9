"""An index of made-up flows and scores of any size, the same for the same seed, written straight into the tables.

Flows are the shipped ones with other titles, steps and cards; their vectors are drawn about the centres of themes
instead of embedded, for what is measured is finding, not reading. Each flow is scored on a few prompts, the strong and
the old ones on many; a score is the prompt's level, the flow's strength, what it gains in the prompt's theme, and
noise.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagewright import needing
from imagewright.database import database, transaction
from imagewright.errors import BadInput
from imagewright.retrieval import flow_facts, store
from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.embed import Vector, pack_vector
from imagewright.retrieval.evidence import PromptFacts
from imagewright.schemas import Card, Flow, ParsedGroup, ParsedPrompt, ParsedRelation

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
    theme: int


class MadeUpWorld:
    """The themes, and what is drawn from them."""

    def __init__(self, size: Size, dimension: int) -> None:
        self.size = size
        self._rng = np.random.default_rng(size.seed)
        self._themes = self._rng.normal(size=(THEMES, dimension)).astype(np.float32)
        self._labels = [tuple(sorted(random.Random(t).sample(_LABELS, 1 + t % 3))) for t in range(THEMES)]

    def cards(self, numbers: Sequence[int]) -> Vector:
        """The cards' unit vectors of some flows."""
        rng = np.random.default_rng([self.size.seed, 7, numbers[0]])
        return self._about([number % THEMES for number in numbers], rng, 0.9)

    def _about(self, themes: Sequence[int], rng: np.random.Generator, spread: float) -> Vector:
        found = self._themes[list(themes)]
        found = found + spread * rng.standard_normal(found.shape, dtype=np.float32)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)

    def prompt(self, number: int, asked: bool = False) -> Asked:
        """The prompt with this number; other ones are ``asked`` than are scored."""
        rng = random.Random(f"{self.size.seed} {number} {asked}")
        theme = rng.randrange(THEMES)
        groups = tuple(
            ParsedGroup(
                object=rng.choice(_THINGS), attributes=(rng.choice(_STYLES),), count=rng.choice((1, 1, 1, 2, 3))
            )
            for _ in range(rng.choice((1, 1, 2, 3)))
        )
        related = len(groups) > 1 and rng.random() < 0.5
        relations = (ParsedRelation(subject=0, relation="left", object=1),) if related else ()
        words = ", ".join(f"{group.count} {group.attributes[0]} {group.object}" for group in groups)
        vector = self._about([theme], np.random.default_rng([self.size.seed, number, int(asked)]), 0.6)[0]
        text = f"{'asked' if asked else 'scored'} {number}: {words}"
        return Asked(text, ParsedPrompt(groups=groups, relations=relations), self._labels[theme], vector, theme)


def make_index(path: Path, size: Size, dimension: int) -> MadeUpWorld:
    """Write the index that ``size`` asks for to ``path``, unless it is there already.

    What is known of its flows is made up with them; a version that knows something else of flows needs another index.

    Raises:
        BadInput: the file holds another index, or the disk does not take it.
    """
    world, wanted = MadeUpWorld(size, dimension), f"{size!r}, facts {needing.VERSION}"
    with database(path, store.OWNER, store.INDEX_TABLES) as db:
        if store.fact(db, "made-up") == wanted:
            return world
        if store.generation(db):
            raise BadInput(f"{path} holds another index", "remove it, or name another folder")
        db.execute("PRAGMA synchronous = OFF")
        _put_flows(db, world)
        _put_prompts(db, world)
        _put_scores(db, world)
        with transaction(db):
            store.note_bulk(db, store.bump(db))
            store.set_fact(db, "made-up", wanted)
    return world


@dataclass(frozen=True)
class _Base:
    """A shipped flow, ready to be varied."""

    flow: Flow
    graph: str
    need: int
    kin: str


def _bases(db: sqlite3.Connection) -> list[_Base]:
    with transaction(db):
        return [
            _Base(
                flow,
                json.dumps(flow.graph),
                flow_facts.store_need(db, needing.read_need(flow)),
                json.dumps([sorted(set(flow.card.loras)), sorted(set(flow.card.samplers))]),
            )
            for flow in load_shipped_flows()
        ]


def _vary(number: int, seed: int, base: _Base) -> tuple[str, Card]:
    """The graph of a flow, with other steps and guidance, and its card."""
    rng = random.Random(f"{seed} {number}")
    graph = re.sub(r'"steps": \d+', f'"steps": {1 + number % 50}', base.graph)
    graph = re.sub(r'"cfg": [\d.]+', f'"cfg": {1 + number // 50 / 1000}', graph)
    words = [rng.choice(_STYLES), *rng.sample(_THINGS, 2)]
    about = f"Good at {words[1]} and {words[2]} in the style {words[0]}."
    return graph, base.flow.card.model_copy(update={"title": " ".join(words), "description": about, "benchmarks": {}})


def make_up_hash(size: Size, number: int) -> str:
    """What stands for the hash of a flow's graph: every made-up flow draws something of its own."""
    return hashlib.sha256(f"{size.seed} {number}".encode()).hexdigest()


def _put_flows(db: sqlite3.Connection, world: MadeUpWorld) -> None:
    bases, size = _bases(db), world.size
    for first in range(0, size.flows, _COMMIT):
        numbers = range(first, min(first + _COMMIT, size.flows))
        with transaction(db):
            changed = store.bump(db)
            vectors = world.cards(numbers)
            flows, facts = [], []
            for number, vector in zip(numbers, vectors, strict=True):
                base, mine, name = bases[number % len(bases)], make_up_hash(size, number), f"made-{number:06}"
                graph, card = _vary(number, size.seed, base)
                text = card.model_dump_json(exclude_defaults=True)
                flows.append((name, text, graph, mine, mine, "user", pack_vector(vector), changed))
                facts.append((name, base.need, flow_facts.rate_draws(card), card.kind, card.base_model,
                              base.kin, -1.0, mine, mine, card.title, "user", 1, changed, 0))  # fmt: skip
            db.executemany(f"INSERT INTO flows VALUES ({', '.join('?' * 8)})", flows)
            db.executemany(f"INSERT INTO flow_facts VALUES ({', '.join('?' * 14)})", facts)


def _put_prompts(db: sqlite3.Connection, world: MadeUpWorld) -> None:
    with transaction(db):
        changed = store.bump(db)
        for number in range(world.size.prompts):
            each = world.prompt(number)
            store.put_prompt(db, each.text, PromptFacts(each.parsed, each.labels), each.vector.tolist(), changed)


def _put_scores(db: sqlite3.Connection, world: MadeUpWorld) -> None:
    size = world.size
    rng = np.random.default_rng([size.seed, 11])
    strength = rng.normal(0.0, 0.08, size.flows)
    level, theme = rng.normal(0.6, 0.12, size.prompts), [world.prompt(n).theme for n in range(size.prompts)]
    gain = rng.normal(0.0, 0.08, (size.flows, THEMES)).astype(np.float32)
    share = rng.pareto(1.5, size.flows) + 0.2
    share[rng.permutation(size.flows)[: int(size.flows * (1 - size.measured))]] = 0.0
    many = np.minimum(np.ceil(share / share.sum() * size.scores * 1.05).astype(int), size.prompts // 2)
    keys = [store.prompt_id(world.prompt(number).text) for number in range(size.prompts)]
    done = 0
    for first in range(0, size.flows, _COMMIT):
        rows = []
        for flow in range(first, min(first + _COMMIT, size.flows)):
            mine = make_up_hash(size, flow)
            for prompt in np.unique(rng.integers(0, size.prompts, min(int(many[flow]), size.scores - done))).tolist():
                value = level[prompt] + strength[flow] + gain[flow, theme[prompt]] + rng.normal(0.0, 0.1)
                rows.append((f"made-{flow:06}", mine, keys[prompt], BACKEND, "made-up", 0, "sweep",
                             round(float(min(max(value, 0.0), 1.0)), 3), None, "2026-01-01T00:00:00Z",
                             "user"))  # fmt: skip
                done += 1
        with transaction(db):
            db.executemany(f"INSERT INTO evidence VALUES ({', '.join('?' * 11)})", rows)
