"""The rules categorizer: what the prompt says for certain, then the labels whose examples are nearest to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from imagewright.agents.categorizer.examples import EXAMPLES
from imagewright.agents.reading import lexicon, nouns
from imagewright.agents.reading.words import words
from imagewright.ports import Embedder
from imagewright.schemas import Categories, ParsedPrompt

_NEAR = 0.42
"""Cosine from which an example counts as near; with MiniLM vectors paraphrases lie above 0.6, unrelated below 0.25."""
_CLOSE_BEHIND = 0.24
"""How far below the nearest label another one may lie and still be named."""
_MOST_NEAR = 3
_FALLBACK = "General"
_PEOPLE = words(
    "person man woman boy girl child kid lady guy baby people player chef doctor nurse teacher king queen prince "
    "princess soldier grandmother grandfather artist dancer surfer skier actor musician bride groom student "
    "painter astronaut rider clown"
)
_ANIMALS = words(
    "dog cat bird horse sheep cow elephant bear zebra giraffe fox owl rabbit mouse lion tiger wolf fish duck "
    "goose swan frog turtle pig goat deer monkey penguin snake butterfly bee kitten puppy chicken octopus whale "
    "dolphin shark panda parrot animal"
)
_STYLE_LABELS = (
    ("Photo", re.compile(r"photo|realistic|35mm|dslr|cinematic|bokeh", re.I)),
    ("Painting", re.compile(r"paint|watercolou?r|oil|acrylic|gouache|impressionis|in the style of", re.I)),
    ("Illustration", re.compile(r"illustration|cartoon|comic|sketch|drawing|vector|ink", re.I)),
    ("Anime", re.compile(r"anime|manga|ghibli|chibi", re.I)),
    ("3D render", re.compile(r"\b3d\b|render|octane|unreal|isometric|low-?poly|cgi", re.I)),
)


class RulesCategorizer:
    """Implements ``ports.Categorizer``; without an embedder only the parse is used, and the answer says so."""

    def __init__(self, embedder: Embedder | None = None, examples: Mapping[str, Sequence[str]] = EXAMPLES) -> None:
        self._embedder = embedder
        self._examples = examples
        self._vectors: tuple[list[str], NDArray[np.float64]] | None = None

    def categorize(self, prompt: str, parsed: ParsedPrompt) -> Categories:
        """The labels of ``prompt``, those that the parse is sure of first; never empty.

        The confidence of a label that is near says how near it still is without the prompt's colours: "a red star" is
        near "a red sports car" by its colour alone.
        """
        certain = read_labels(prompt, parsed)
        whole, bare = self._likeness(prompt, _without_colours(prompt))
        near = self._choose_near(whole)
        labels = tuple(dict.fromkeys([*certain, *near])) or (_FALLBACK,)
        confidence = tuple(1.0 if label in certain else max(0.0, min(1.0, bare.get(label, 0.0))) for label in labels)
        if self._embedder is None:
            return Categories(labels=labels, decided_by="rules without embeddings")
        return Categories(labels=labels, confidence=confidence, decided_by="rules")

    def _likeness(self, *prompts: str) -> list[dict[str, float]]:
        """For each prompt each label's cosine to its nearest example; none without an embedder or a prompt."""
        if self._embedder is None or not prompts[0].strip():
            return [{} for _ in prompts]
        if self._vectors is None:
            pairs = [(label, text) for label, texts in self._examples.items() for text in texts]
            embedded = self._embedder.embed([text for _, text in pairs])
            self._vectors = [label for label, _ in pairs], np.array(embedded)
        labels, vectors = self._vectors
        mine = np.array(self._embedder.embed(list(dict.fromkeys(prompts))))
        found = dict(zip(dict.fromkeys(prompts), (_best_of(labels, vectors @ each) for each in mine), strict=True))
        return [found[prompt] for prompt in prompts]

    @staticmethod
    def _choose_near(best: Mapping[str, float]) -> list[str]:
        """The best few of the labels that are near, best first."""
        ranked = sorted(best, key=lambda label: -best[label])[:_MOST_NEAR]
        top = best[ranked[0]] if ranked else 0.0
        return [
            label
            for k, label in enumerate(ranked)
            if (best[label] >= _NEAR and best[label] >= top - _CLOSE_BEHIND) or k == 0
        ]


def _best_of(labels: Sequence[str], cosines: NDArray[np.float64]) -> dict[str, float]:
    best: dict[str, float] = {}
    for label, cosine in zip(labels, cosines.tolist(), strict=True):
        best[label] = max(best.get(label, -1.0), cosine)
    return best


def _without_colours(prompt: str) -> str:
    """The prompt without the words for colours; as it is where nothing would be left."""
    left = [word for word in prompt.split() if word.lower().strip(",.;:!?") not in lexicon.KNOWN_COLOURS]
    return " ".join(left) or prompt


def read_labels(prompt: str, parsed: ParsedPrompt) -> list[str]:
    """The categories that follow from the parse alone: what is in the picture, how it is composed, its style."""
    labels = []
    heads = {g.object.rpartition(" ")[2] for g in parsed.groups}
    colours = [g for g in parsed.groups if lexicon.KNOWN_COLOURS & set(" ".join(g.attributes).split())]
    checks = (
        ("Abstract shapes", bool(heads) and heads <= nouns.SHAPE_NOUNS | {"house"} and bool(heads & nouns.SHAPE_NOUNS)),
        ("People", bool(heads & _PEOPLE)),
        ("Animals", bool(heads & _ANIMALS)),
        ("Counting", any(g.count > 1 for g in parsed.groups)),
        ("Spatial", any(r.relation != "near" for r in parsed.relations) or any(g.position for g in parsed.groups)),
        ("Attribute binding", len(colours) >= 2 or (bool(colours) and len(parsed.groups) >= 2)),
        ("Colours", bool(colours)),
        ("Negation", bool(parsed.negative)),
        ("Text", '"' in prompt or re.search(r"\b(says|saying|written|letters|typography)\b", prompt, re.I) is not None),
        ("Landscape", not parsed.groups and bool(parsed.background) and "scene" not in parsed.background),
    )
    labels += [label for label, holds in checks if holds]
    style = " ".join(parsed.style)
    return labels + [label for label, pattern in _STYLE_LABELS if style and pattern.search(style)]
