"""What the nodes work with: the agents, the index, a backend and the memory, handed in by the container."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imagewright.agents.llm.account import Account
from imagewright.memory.artifacts import ArtifactStore
from imagewright.memory.preferences import Preferences
from imagewright.memory.runs import RunLog
from imagewright.ports import Backend, Categorizer, Critic, Interpreter, LayoutPlanner, Polisher, Selector, Writer
from imagewright.schemas import Candidate, Categories, Evidence, Flow, ParsedPrompt


class FlowCatalogue(Protocol):
    """The index as the graph sees it."""

    def flow(self, name: str) -> Flow:
        """The flow with this id. Raises ``BadInput`` when there is none."""
        ...

    def generation(self) -> int:
        """The number that every change of flows or evidence raises."""
        ...

    def rank(
        self, prompt: str, parsed: ParsedPrompt, categories: Categories, named: str | None = None
    ) -> tuple[Candidate, ...]:
        """Every flow that makes pictures from text, best estimate first, runnable here or not."""
        ...

    def carry_lora(self, name: str) -> tuple[str, ...]:
        """The flows whose graph loads the LoRA file called ``name``, with or without folder and ending."""
        ...

    def offer(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """The few of them that the selector may choose from; all can run here."""
        ...


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What one run works with. LangGraph hands it to the nodes; it never enters a checkpoint."""

    interpreter: Interpreter
    categorizer: Categorizer
    selector: Selector
    planner: LayoutPlanner
    critic: Callable[[Flow], Critic] | None
    """The critic for the pictures of a flow; None when the person wants none."""
    catalogue: FlowCatalogue
    backend: Backend
    store: ArtifactStore
    runs: RunLog
    canonical_prompt: Callable[[ParsedPrompt], str]
    preferences: Preferences | None = None
    """The person's lasting wishes; None where none are kept."""
    learn: Callable[[Evidence], None] = lambda row: None
    """Keeps a person's thumb."""
    asks: bool = False
    """Whether the person can be asked back: only a conversation does."""
    fallbacks: list[str] = field(default_factory=list)
    """What was not done as planned since the last look: agents that left it to the rules, an index that was busy."""
    account: Account = field(default_factory=Account)
    """What the run may still spend on language models."""
    writer: Writer | None = None
    """Words the prompt for the chosen flow; None leaves it in the person's words."""
    polisher: Polisher | None = None
    """Proposes what would make a right picture more beautiful; None where nobody asked for that."""
    is_word: Callable[[str], bool] = lambda word: True
    """Whether the language has a word: only what is none is taken for misspelt."""
    liken: Callable[[str, Sequence[str]], str] = lambda word, others: ""
    """Of some words the one that means nearly the same as the first; empty where none does."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the person stops the run."""
    clock: Callable[[], float] = time.monotonic
    explore: bool = False
    """Whether a flow may be chosen to learn more about it."""
    rules: str = ""
    """By which rules the backend draws; empty for its own."""

    def take_fallbacks(self) -> tuple[str, ...]:
        """What has been left to the rules since the last call."""
        taken = tuple(self.fallbacks)
        self.fallbacks.clear()
        return taken
