"""What people met at language-model endpoints: requests that are refused, and where prompts and keys go.

The providers' own clients, with the calls that they make. Each kind is tried with three questions, so that what is
repeated for every question shows in the number of calls.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from imagewright.agents.llm.ask import Line
from imagewright.agents.llm.models import MOST_TOKENS, Reach, connect
from imagewright.memory.llm_cache import Known


def load(path: Path) -> ModuleType:
    """A module that stands beside the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(f"imagewright_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


HERE = Path(__file__).parent
kit: Any = load(HERE / "endpoint_kit.py")
GOOD, KEY, PROMPTS = kit.GOOD, kit.KEY, kit.PROMPTS
most, plain, wrapped = kit.most, kit.plain, kit.wrapped


@pytest.fixture(scope="module")
def faults() -> Any:
    """The faulty server."""
    pytest.importorskip("langchain_openai")
    pytest.importorskip("langchain_anthropic")
    return load(HERE.parent / "agents" / "fault_server.py")


@pytest.fixture
def ask(faults: Any) -> Callable[..., Any]:
    """Asks a server of this kind the three questions."""
    made: Callable[..., Any] = kit.asker(faults)
    return made


# --- refused requests -----------------------------------------------------------------------


def context(size: int) -> Callable[[Any], Any]:
    """A server with a context of this size, as vLLM has it."""

    def refuse(body: Any) -> Any:
        asked = most(body)
        words = (
            f"This model's maximum context length is {size} tokens. However, you requested {asked + 900} tokens "
            f"(900 in the messages, {asked} in the completion). Please reduce the length of the messages or completion."
        )
        return (400, plain(words)) if asked + 900 > size else None

    return refuse


def at_most(limit: int, words: str, status: int = 400) -> Callable[[Any], Any]:
    """A server that refuses longer answers."""
    return lambda body: (status, wrapped(words)) if most(body) > limit else None


def has_system(body: Any) -> bool:
    """Whether a request has a system message."""
    return "system" in body or any(part["role"] in ("system", "developer") for part in body["messages"])


def holds(test: Callable[[Any], bool], status: int, body: Any) -> Callable[[Any], Any]:
    """A server that refuses requests that ``test`` is true of."""
    return lambda sent: (status, body) if test(sent) else None


def named(*names: str) -> Callable[[Any], Any]:
    """A server that forbids these fields, as pydantic says it."""

    def refuse(body: Any) -> Any:
        found = [name for name in names if name in body]
        items = [{"type": "extra_forbidden", "loc": ("body", name), "msg": "Extra inputs are not permitted"}
                 for name in found]  # fmt: skip
        return (400, plain(str(items))) if found else None

    return refuse


def either(*servers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A server that refuses what any of these do."""
    return lambda body: next((said for said in (server(body) for server in servers) if said is not None), None)


FASTAPI = {"detail": [{"loc": ["body", "max_completion_tokens"], "msg": "extra fields not permitted"}]}
NO_SCHEMA = holds(
    lambda body: "response_format" in body, 400, wrapped("'response_format' of type json_schema is not supported")
)
NO_TOOLS = holds(
    lambda body: "tools" in body,
    400,
    plain('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
)
ALTERNATE = "Conversation roles must alternate user/assistant/user/assistant/..."
REFUSALS: dict[str, tuple[Any, int, Known]] = {
    "e10 context 8192": (context(8192), 1, Known(context=8192, most_tokens=4096)),
    "e10 context 4096": (context(4096), 1, Known(context=4096, most_tokens=2048)),
    "e10 at most": (at_most(4096, "max_tokens is too large: 8192. This model supports at most 4096 completion tokens."),
                    1, Known(most_tokens=4096)),
    "e10 TGI": (holds(lambda body: most(body) > 3000, 422, {"error": "Input validation error: `inputs` tokens + "
                "`max_new_tokens` must be <= 4096. Given: 900 `inputs` tokens and 8192 `max_new_tokens`"}),
                1, Known(context=4096, most_tokens=2048)),
    "e10 credits": (at_most(1234, "This request requires more credits, or fewer max_tokens. You requested up to 8192 "
                            "tokens, but can only afford 1234.", 402), 1, Known(most_tokens=1234)),
    "e10 no number": (at_most(2500, "max_tokens is too large"), 2, Known(most_tokens=2048)),
    "e11 not supported": (holds(has_system, 400, plain("System role not supported")), 1, Known(rules_apart=False)),
    "e11 alternate": (holds(has_system, 400, plain(ALTERNATE)), 1, Known(rules_apart=False)),
    "e11 500": (holds(has_system, 500, wrapped("Jinja: System role not supported")), 1, Known(rules_apart=False)),
    "e11 Google": (holds(has_system, 400, wrapped("Developer instruction is not enabled for models/m")),
                   1, Known(rules_apart=False)),
    "e12 forbidden": (named("max_completion_tokens"), 1, Known(tokens_name="max_tokens")),
    "e12 FastAPI": (holds(lambda body: "max_completion_tokens" in body, 422, FASTAPI), 1,
                    Known(tokens_name="max_tokens")),
    "e12 unknown": (holds(lambda body: "max_completion_tokens" in body, 400,
                          wrapped("Unrecognized request argument supplied: max_completion_tokens")),
                    1, Known(tokens_name="max_tokens")),
    "e12 neither": (named("max_completion_tokens", "max_tokens"), 2, Known(tokens_name="")),
    "tools only": (either(NO_SCHEMA, named("parallel_tool_calls")), 2,
                   Known(way="function_calling", without=("parallel_tool_calls",))),
    "no choice of tools": (either(NO_SCHEMA, holds(lambda body: "tool_choice" in body, 400,
                           wrapped("tool_choice is not supported by this model"))),
                           2, Known(way="function_calling", without=("tool_choice",))),
    "no schema and no tools": (either(NO_SCHEMA, NO_TOOLS), 2, Known(way="words")),
    "not found by what it asks": (holds(lambda body: "response_format" in body, 404,
                                  wrapped("No endpoints found that support structured outputs")), 1,
                                  Known(way="function_calling")),
    "all at once": (either(context(8192), holds(has_system, 400, plain("System role not supported")),
                    named("max_completion_tokens"), NO_SCHEMA), 4,
                    Known(way="function_calling", context=8192, most_tokens=4096, tokens_name="max_tokens",
                          rules_apart=False)),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refused_request_is_changed_once_and_remembered(kind: str, ask: Callable[..., Any], tmp_path: Path) -> None:
    refuse, refused, known = REFUSALS[kind]
    store = kit.Recording(tmp_path / "db")
    seen = ask(refuse=refuse, store=store)
    assert (seen.answered, len(seen.requests)) == (True, 3 + refused), seen.notes
    way = known.way or "json_schema"
    assert store.last == known.model_copy(update={"way": way})
    assert len(seen.notes) == len(set(seen.notes)) <= refused + 1, "each change is told once"
    assert "the rules" not in seen.told


@pytest.mark.parametrize(
    ("kind", "refuse"),
    [
        ("e10", at_most(4096, "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for m")),
        ("e10 context", at_most(6000, "input length and `max_tokens` exceed context limit: 900 + 8192 > 8192")),
        ("e11", holds(has_system, 400, wrapped("system messages are not supported by this model"))),
    ],
)
def test_anthropics_client_adapts_too(kind: str, refuse: Any, ask: Callable[..., Any]) -> None:
    seen = ask(service="anthropic", refuse=refuse)
    assert (seen.answered, len(seen.requests)) == (True, 4), seen.notes


def test_what_was_learned_holds_in_the_next_run(faults: Any, tmp_path: Path) -> None:
    refuse = either(context(8192), named("max_completion_tokens"), holds(has_system, 400, plain(ALTERNATE)))
    fault = faults.Fault("fine", lambda body: GOOD, refuse=refuse)
    with faults.serving(fault) as url:
        for expected in (6, 9):
            assert kit.ask_at(f"{url}/v1#m", kit.Recording(tmp_path / "db")).answered
            assert len(fault.requests) == expected
    assert {most(body) for body in fault.requests[-3:]} == {4096}


def test_the_rules_still_reach_a_model_without_system_messages(ask: Callable[..., Any]) -> None:
    seen = ask(refuse=holds(has_system, 400, plain("System role not supported")))
    [message] = seen.requests[-1]["messages"]
    assert message["role"] == "user"
    assert "You place the things" in message["content"]
    assert PROMPTS[-1] in message["content"]


def test_a_service_that_refuses_everything_is_left_alone(ask: Callable[..., Any]) -> None:
    seen = ask(refuse=lambda body: (400, plain("Your plan has ended.")))
    assert [plan.decided_by for plan in seen.planned] == ["rules"] * 3
    assert len(seen.requests) == 4, "once in each way, and then no more"
    assert "Your plan has ended." in seen.notes[0]


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 8197 tokens (5 in the messages)",
        "System role not supported",
        "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra inputs are forbidden'}]",
    ],
)
def test_a_change_that_does_not_help_is_made_once_and_not_remembered(
    words: str, ask: Callable[..., Any], tmp_path: Path
) -> None:
    store = kit.Recording(tmp_path / "db")
    seen = ask(refuse=lambda body: (400, plain(words)), store=store)
    assert [plan.decided_by for plan in seen.planned] == ["rules"] * 3
    assert (len(seen.requests), store.last) == (2, Known()), seen.notes
    assert words[:40] in seen.notes[1]


@pytest.mark.parametrize(
    ("kind", "words", "calls"),
    [
        ("e10 the question does not fit", "This model's maximum context length is 512 tokens, your prompt has 900", 3),
        ("policy", "The prompt was flagged by our content filter", 3),
    ],
)
def test_a_refused_question_is_told_once_each(kind: str, words: str, calls: int, ask: Callable[..., Any]) -> None:
    seen = ask(refuse=lambda body: (400, plain(words)))
    assert (len(seen.requests), all(words[:40] in note for note in seen.notes)) == (calls, True), seen.notes


def test_nothing_is_sent_that_nobody_set(ask: Callable[..., Any]) -> None:
    for service in ("openai", "anthropic"):
        [first, *_] = ask(service=service).requests
        assert not {"temperature", "top_p", "n", "seed", "frequency_penalty", "presence_penalty"} & set(first)
        assert most(first) == MOST_TOKENS


# --- where prompts and keys go --------------------------------------------------------------


@pytest.fixture
def other(faults: Any) -> Iterator[tuple[Any, str]]:
    """Another server, which nobody named."""
    fault = faults.Fault("fine", lambda body: GOOD)
    with faults.serving(fault) as url:
        yield fault, url


@pytest.mark.parametrize("service", ["openai", "anthropic"])
def test_a_prompt_does_not_follow_a_redirect_to_another_server(
    service: str, faults: Any, other: tuple[Any, str]
) -> None:
    fault = faults.Fault("redirect", lambda body: GOOD)
    fault.leads = other[1]
    with faults.serving(fault) as url:
        seen = kit.ask_at(f"{url}/v1#m" if service == "openai" else f"anthropic:m@{url}")
    assert other[0].requests == []
    assert len(fault.requests) == 1
    assert f"it sends prompts on to {other[1]}" in seen.notes[0]


@pytest.mark.parametrize("service", ["openai", "anthropic"])
def test_a_redirect_within_a_server_is_followed(service: str, ask: Callable[..., Any]) -> None:
    assert ask("redirect within", service=service).answered


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://192.0.2.1:9/v1#m", True),
        ("anthropic:m@http://192.0.2.1:9", True),
        ("https://192.0.2.1:9/v1#m", False),
        ("http://127.0.0.1:9/v1#m", False),
        ("http://[::1]:9/v1#m", False),
        ("http://localhost:9/v1#m", False),
    ],
)
def test_a_key_over_plain_http_to_another_machine_is_warned_about_once(
    address: str, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai")
    monkeypatch.setenv("NO_PROXY", "")
    seen = kit.ask_at(address)
    assert sum("goes over plain http" in note for note in seen.notes) == warned
    assert KEY not in seen.told
    line = Line()
    line.warn_of_open_key(connect(address, Reach({})))
    assert line.warned == set(), "where there is no key there is nothing to read"
