"""Language models answer in JSON that is checked; when they do not, the next is asked, and in the end nobody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from imagewright.agents.llm.account import Account
from imagewright.agents.llm.ask import Asker, Line, Query, Unusable
from imagewright.agents.llm.models import LanguageModel
from imagewright.agents.llm.prompt_files import Prompt
from imagewright.agents.llm.scripted import ScriptedChatModel
from imagewright.errors import Cancelled
from imagewright.memory.llm_cache import LLMCache

TEXT = Prompt("selector", 1, "Rules.", "Which?")


class Pick(BaseModel):
    """A choice."""

    flow: str
    reason: str = ""


def one_of(*flows: str) -> Query[Pick]:
    """Which of these flows?"""
    return Query(TEXT, Pick, lambda answer: "" if answer.flow in flows else f"flow must be one of: {', '.join(flows)}")


class Failing(ScriptedChatModel):
    """Raises instead of answering."""

    error: Any = None

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error


def test_a_good_answer_is_used_and_its_tokens_counted(desk: Any) -> None:
    made = desk({"flow": "other"})
    assert made.asker().ask(one_of("best", "other")).flow == "other"
    used = made.line.account.take()
    assert used.tokens_in > 0
    assert used.tokens_out > 0
    assert made.notes == []


def test_a_wrong_answer_is_shown_its_mistake_and_repaired(desk: Any) -> None:
    made = desk("I would take the other one.", {"flow": "third"}, {"flow": "other"})
    assert made.asker().ask(one_of("best", "other")).flow == "other"
    first, second, third = made.heard
    assert first == "Which?"
    assert "no JSON object" in second
    assert "flow must be one of: best, other" in third
    assert made.notes == []


def test_after_three_wrong_answers_it_is_given_up_on(desk: Any) -> None:
    made = desk("no", {"reason": "?"}, {"flow": "third"}, {"flow": "best", "reason": "too late"})
    with pytest.raises(Unusable, match="no usable answer in 3 tries"):
        made.asker().ask(one_of("best"))
    assert len(made.heard) == 3


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 20_000])
def test_deep_nesting_is_an_answer_like_any_other_that_cannot_be_used(text: str, desk: Any) -> None:
    with pytest.raises(Unusable):
        desk(text, text, text).asker().ask(one_of("best"))


def test_the_next_model_is_asked_and_it_is_told(desk: Any) -> None:
    made = desk()
    second = LanguageModel(ScriptedChatModel(answers=['{"flow": "best"}']), "second")
    assert made.asker("layout", second).ask(one_of("best")).flow == "best"
    [note] = made.notes
    assert note.startswith("layout: second is asked instead; scripted: the call failed: the script has no more answers")


def test_a_model_that_did_not_answer_is_not_asked_again_in_the_run(desk: Any) -> None:
    made = desk()
    for _ in range(2):
        with pytest.raises(Unusable) as error:
            made.asker().ask(one_of("best"))
    assert "did not answer before in this run" in str(error.value)
    assert len(made.heard) == 1


def test_a_refusal_is_not_argued_with(desk: Any) -> None:
    class Refusing(ScriptedChatModel):
        """Says no the way a service does."""

        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            result.generations[0].message.response_metadata = {"stop_reason": "refusal"}
            return result

    chat = Refusing(answers=["no", '{"flow": "best"}'])
    with pytest.raises(Unusable, match="refused"):
        Asker("selector", (LanguageModel(chat),), Line()).ask(one_of("best"))
    assert len(chat.heard) == 1


def test_a_budget_without_room_asks_nobody(desk: Any) -> None:
    made = desk({"flow": "best"})
    made.line.account = Account(max_tokens=10)
    with pytest.raises(Unusable, match="budget of 10 tokens has no room"):
        made.asker().ask(one_of("best"))
    assert made.heard == ()


def test_models_get_no_more_than_their_share_of_a_runs_seconds(desk: Any) -> None:
    made = desk({"flow": "best"})
    made.line.run_seconds = 10.0
    assert made.line.seconds_left == 4.0
    made.line.account.add_seconds(9.0)
    with pytest.raises(Unusable, match="no time left"):
        made.asker().ask(one_of("best"))
    assert made.heard == ()


def test_a_stopped_run_is_stopped_and_not_left_to_the_rules() -> None:
    line = Line()
    line.stop.set()

    class Slow(ScriptedChatModel):
        """Waits."""

        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            line.stop.wait()
            import time

            time.sleep(0.2)
            return super()._generate(*args, **kwargs)

    with pytest.raises(Cancelled):
        Asker("selector", (LanguageModel(Slow(answers=["{}"])),), line).ask(one_of("best"))


def test_no_key_is_told_whoever_says_it(desk: Any) -> None:
    key = SecretStr("my-own-secret")
    chat = Failing(error=RuntimeError("Incorrect API key provided: my-own-secret"))
    with pytest.raises(Unusable) as error:
        Asker("selector", (LanguageModel(chat, secrets=(key,)),), Line()).ask(one_of("best"))
    assert "my-own-secret" not in str(error.value)
    assert "Incorrect API key" in str(error.value)
    said = LanguageModel(ScriptedChatModel(answers=['{"flow": "best", "reason": "my-own-secret"}']), secrets=(key,))
    assert Asker("selector", (said,), Line()).ask(one_of("best")).reason == "…"


# --- ways of asking -------------------------------------------------------------------------


class Choosy(ScriptedChatModel):
    """Takes none of the ways of asking for JSON but words."""

    tried: list[str] = Field(default_factory=list)

    def with_structured_output(self, schema: Any, **options: Any) -> Any:
        self.tried.append(options["method"])
        raise NotImplementedError


def test_a_way_that_works_is_found_by_asking_told_once_and_remembered(tmp_path: Path) -> None:
    notes: list[str] = []
    chat = Choosy(answers=['{"flow": "best"}'] * 3, tried=[])
    model = LanguageModel(chat, "choosy", ("json_schema", "function_calling", "words"))
    for number in range(3):
        line = Line(on_note=notes.append, store=LLMCache(tmp_path / "db"))
        question = Query(Prompt("selector", 1, "Rules.", f"Which? {number}"), Pick, lambda answer: "")
        assert Asker("selector", (model,), line).ask(question).flow == "best"
    assert chat.tried == ["json_schema", "function_calling"]
    assert notes == ["choosy takes no json schema; it is asked by words from now on"]


# --- the cache ------------------------------------------------------------------------------


def test_a_checked_answer_is_used_again_and_a_wrong_one_never(tmp_path: Path, desk: Any) -> None:
    def asked(*answers: object, version: int = 1) -> tuple[str, int]:
        made = desk(*answers)
        made.line.store = LLMCache(tmp_path / "db")
        question = Query(Prompt("selector", version, "Rules.", "Which?"), Pick, one_of("best", "other").check)
        return made.asker().ask(question).flow, len(made.heard)

    answers = ("prose", {"flow": "third"}, {"flow": "other"})
    assert asked(*answers) == ("other", 3)
    assert asked(*answers) == ("other", 0)
    assert asked(*answers, version=2) == ("other", 3)


def test_a_kept_answer_that_no_longer_fits_is_asked_for_anew(tmp_path: Path, desk: Any) -> None:
    made = desk({"flow": "best"}, {"flow": "other"})
    made.line.store = LLMCache(tmp_path / "db")
    assert made.asker().ask(one_of("best", "other")).flow == "best"
    assert made.asker().ask(one_of("other")).flow == "other"


def test_a_store_that_cannot_be_used_is_told_and_does_without(tmp_path: Path, desk: Any) -> None:
    (tmp_path / "file").write_text("no database " * 500)
    made = desk({"flow": "best"})
    made.line.store = LLMCache(tmp_path / "file")
    assert made.asker().ask(one_of("best")).flow == "best"
    [note] = made.notes
    assert note.startswith("answers of language models are not kept")


def test_checks_see_every_answer(desk: Any) -> None:
    seen: list[str] = []

    def check(answer: Pick) -> str:
        seen.append(answer.flow)
        return "not that one" if answer.flow == "a" else ""

    recorded: Callable[[Pick], str] = check
    assert desk({"flow": "a"}, {"flow": "b"}).asker().ask(Query(TEXT, Pick, recorded)).flow == "b"
    assert seen == ["a", "b"]
