"""How many tokens the agents read for one request, beside a table in context, for small and large indexes.

ComfyGen-IC (Gal et al. 2024) shows its language model a table: for every flow its mean score under every label. That
table grows with the index; the short list of cards here does not. Tokens are counted as the wordpieces of the sentence
embedder that ships with imagewright, which come to somewhat more than the tokens of large models on English and JSON.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from imagewright.agents.categorizer.llm import Labelled
from imagewright.agents.conversation.llm import Decision, interpreter_prompt
from imagewright.agents.critic.polish import COMPARED, Preferred, Suggested
from imagewright.agents.critic.questions import questions
from imagewright.agents.critic.vlm import Looked, critic_prompt
from imagewright.agents.layout.llm import MIN_ANSWERED_SIDE, PlacedLayout
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.llm.eyes import CROP, WHOLE
from imagewright.agents.llm.prompt_files import Prompt, prompt
from imagewright.agents.llm.say import closing
from imagewright.agents.selector.llm import Selected, selector_prompt
from imagewright.agents.writer.llm import MOST_ADDED, Wording
from imagewright.intents import Reference
from imagewright.retrieval.candidates import SHORT_LIST
from imagewright.schemas import Candidate, Categories

_PROMPT = (
    "two red foxes and a small owl sharing a blue umbrella under an old oak in the rain, watercolour, with a wooden "
    'sign that says "This way", no people'
)
LABELS = (
    "People",
    "Portrait",
    "Animals",
    "Food",
    "Landscape",
    "Architecture",
    "Interior",
    "Vehicles",
    "Products",
    "Fantasy",
    "Science Fiction",
    "Anime",
    "Cartoon",
    "Illustration",
    "Photography",
    "Painting",
    "Abstract",
    "Counting",
    "Spatial",
    "Text",
)
INDEX_SIZES = (24, 310, 10_000)
LIMIT = 6000
"""Tokens that all agents together may read for one request."""
_PARTS = 2
"""How many parts of the picture the critic is shown beside the whole, for ``_PROMPT``: one for each group of things."""
Counter = Callable[[str], int]


@dataclass(frozen=True)
class TokenRow:
    """Tokens that one agent reads for one request, by the number of flows in the index."""

    agent: str
    tokens: tuple[int, ...]


def measure_tokens(count: Counter, sizes: Sequence[int] = INDEX_SIZES) -> list[TokenRow]:
    """A row for each agent asked in words (the costliest way: with its schema), then all, then ComfyGen-IC's table."""
    rows = [TokenRow(name, tuple(count(text(size)) for size in sizes)) for name, text in _texts().items()]
    pictures = _picture(WHOLE) + _PARTS * _picture(CROP)
    rows[-1] = TokenRow(rows[-1].agent, tuple(tokens + pictures for tokens in rows[-1].tokens))
    total = TokenRow("all agents", tuple(sum(row.tokens[n] for row in rows) for n in range(len(sizes))))
    table = TokenRow("a table in context", tuple(_table_tokens(count, size) for size in sizes))
    edit = TokenRow("interpreter, for an edit", tuple(count(_interpreter()) for _ in sizes))
    polish = TokenRow("polish, where asked for", tuple(_polish(count) for _ in sizes))
    return [*rows, total, edit, polish, table]


def _texts() -> dict[str, Callable[[int], str]]:
    planned = RulesLayoutPlanner().plan(_PROMPT)
    asked = questions(_PROMPT, planned.parsed, planned.layout)
    request = {"prompt": _PROMPT, "model": "FLUX.1-dev", "avoid": list(planned.parsed.negative)}
    same: dict[str, tuple[Prompt, Any]] = {
        "categorizer": (prompt("categorizer", prompt={"prompt": _PROMPT}), Labelled),
        "layout planner": (prompt("layout", prompt={"prompt": _PROMPT}, minimum=str(MIN_ANSWERED_SIDE)), PlacedLayout),
        "prompt writer": (prompt("writer", request=request, most=str(MOST_ADDED)), Wording),
        "critic, 3 pictures": (critic_prompt(asked, planned.layout, [], [0, 1]), Looked),
    }
    texts: dict[str, Callable[[int], str]] = {
        name: functools.partial(_whatever, _with_schema(text, schema)) for name, (text, schema) in same.items()
    }
    critic = texts.pop("critic, 3 pictures")
    return {**texts, "selector": lambda size: _with_schema(_selector(size), Selected), "critic, 3 pictures": critic}


def _interpreter() -> str:
    """What the interpreter reads for an edit of a picture; the layout is carried over then and no prompt is written."""
    planned = RulesLayoutPlanner().plan(_PROMPT)
    known = Reference(
        run="r", prompt=_PROMPT, image="", flow="f", seed=1, number=1, parsed=planned.parsed, layout=planned.layout
    )
    return _with_schema(interpreter_prompt("make the owl bigger and the umbrella red", (known,)), Decision)


def _polish(count: Counter) -> int:
    """What a suggestion for beauty reads where it is asked for: one picture, then twice two of them to compare."""
    suggest = count(_with_schema(prompt("polish", prompt=[_PROMPT]), Suggested))
    compare = count(_with_schema(prompt("compare", prompt=[_PROMPT]), Preferred))
    return suggest + 2 * compare + _picture(WHOLE) + 4 * _picture(COMPARED)


def _whatever(text: str, size: int) -> str:
    """``text``, whatever the size of the index."""
    return text


def _picture(side: int) -> int:
    """Tokens of a square picture, by the rule of thumb of the large providers: pixels by 750."""
    return side * side // 750


def _with_schema(text: Prompt, schema: Any) -> str:
    return f"{text.text}{closing(schema)}"


def _selector(size: int) -> Prompt:
    """The selector's prompt at an index of ``size`` flows: the short list that it is offered of them."""
    cards = [
        Candidate(
            flow=f"flow-{n:05d}-sdxl-ink",
            title=f"SDXL with an ink LoRA and a second pass, number {n}",
            base_model="SDXL 1.0",
            estimate=0.71,
            low=0.55,
            high=0.83,
            evidence=128,
            runnable=True,
            cost=14.2,
        )
        for n in range(min(size, SHORT_LIST))
    ]
    return selector_prompt(_PROMPT, Categories(labels=("Animals", "Counting", "Painting")), cards)


def _table_tokens(count: Counter, size: int) -> int:
    """Tokens of a table of ``size`` flows by 20 labels: a sample is counted and carried over, for it is all alike."""
    rows = [
        f"flow-{n:05d}-sdxl-ink | " + " | ".join(f"{0.40 + (n * 7 + k) % 50 / 100:.2f}" for k in range(len(LABELS)))
        for n in range(min(size, 50))
    ]
    head = count("flow | " + " | ".join(LABELS))
    return head + round(sum(map(count, rows)) * size / len(rows))


def wordpieces() -> Counter:
    """Counts with the tokenizer of the sentence embedder that ships with imagewright."""
    from imagewright.retrieval.embed import word_pieces

    return word_pieces()
