"""What people met at language-model endpoints, by kind, with the providers' own clients and the calls that they make.

Each kind is tried with three questions, so that what is repeated for every question shows in the number of calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr

from imagewright.agents.layout.llm import LLMLayoutPlanner
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.agents.llm.ask import Asker, Line
from imagewright.agents.llm.calls import Policy
from imagewright.agents.llm.models import MOST_TOKENS, Reach, connect
from imagewright.memory.llm_cache import Known, LLMCache
from imagewright.schemas import Planned

PROMPTS = ("two red circles", "two small red circles", "two large red circles")
KEY = "zq-sentinel-0123456789"


def layout(*xs: float, y: float = 0.3) -> dict[str, Any]:
    """A layout with a circle at each of these."""
    box = {"caption": "a red circle", "object": "circle", "attributes": ["red"], "y": y, "width": 0.4, "height": 0.4}
    return {"boxes": [{**box, "x": x} for x in xs], "background": "", "negative": ""}


ANSWER = layout(0.05, 0.55)
GOOD, DRAFT = json.dumps(ANSWER), json.dumps(layout(0.01, 0.51, y=0.55))


@dataclass
class Seen:
    """What came of the three questions."""

    planned: list[Planned]
    notes: list[str]
    requests: list[dict[str, Any]]
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """Whether every layout is the answer and no other: neither a draft nor the rules'."""
        return all(
            plan.decided_by == "llm" and [(box.x, box.y) for box in plan.layout.boxes] == [(0.05, 0.3), (0.55, 0.3)]
            for plan in self.planned
        )

    @property
    def told(self) -> str:
        """Everything that was told."""
        return " | ".join(self.notes)


@pytest.fixture(scope="module")
def faults(load_module: Callable[[str, Path], ModuleType]) -> Any:
    """The faulty server."""
    pytest.importorskip("langchain_openai")
    pytest.importorskip("langchain_anthropic")
    return load_module("imagewright_fault_server_cases", Path(__file__).parents[1] / "agents" / "fault_server.py")


@pytest.fixture
def ask(faults: Any) -> Callable[..., Seen]:
    """Asks a server of this kind the three questions."""

    def asked(
        name: str = "fine", text: str = GOOD, service: str = "openai", store: LLMCache | None = None, **more: Any
    ) -> Seen:
        fault = faults.Fault(name, lambda body: text, **more)
        with faults.serving(fault) as url:
            seen = ask_at(f"{url}/v1#m" if service == "openai" else f"anthropic:m@{url}", store)
        return Seen(seen.planned, seen.notes, fault.requests, fault.headers)

    return asked


def ask_at(name: str, store: LLMCache | None = None) -> Seen:
    """The three questions to the model called ``name``."""
    notes: list[str] = []
    line = Line(on_note=notes.append, policy=Policy(call=20.0, question=40.0, pause=0.01), store=store)
    model = connect(name, Reach({"*": SecretStr(KEY)}, 20.0))
    planner = LLMLayoutPlanner(Asker("layout", (model,), line), RulesLayoutPlanner(), notes.append)
    return Seen([planner.plan(prompt) for prompt in PROMPTS], notes, [])


# --- thoughts -------------------------------------------------------------------------------

MARKED = "<|channel|>analysis<|message|>Maybe {draft}<|end|><|start|>assistant<|channel|>final<|message|>{good}"
THOUGHTS = {
    "e01 think": "<think>\nA first try: {draft} no.\n</think>\n\n{good}",
    "e01 upper case, attributes": '<THINK effort="high">{draft}</Think >{good}',
    "e01 several": "<think>{draft}</think>so<thinking>{draft}</thinking>\n```json\n{good}\n```",
    "e01 nested": "<think>a<think>{draft}</think>{draft}</think>{good}",
    "e01 the beginning is the template's": "Let me see: {draft}\n</think>\n{good}",
    "e01 after the answer": "{good}\n<think>or rather {draft}",
    "e01 other names": "<reasoning>{draft}</reasoning><seed:think>{draft}</seed:think>{good}",
    "e01 Mistral": "[THINK]{draft}[/THINK]{good}",
    "e01 Kimi": "◁think▷{draft}◁/think▷{good}",
    "e01 Cohere": "<|START_THINKING|>{draft}<|END_THINKING|>{good}",
    "e01 Gemma": "<|channel>thought\n{draft}<channel|>{good}",
    "e02 channels": MARKED,
    "e02 begun by the template": MARKED.removeprefix("<|channel|>"),
    "e02 constrained": MARKED.replace("final<|m", "final <|constrain|>json<|m") + "<|return|>",
    "e02 commentary": MARKED.replace("<|channel|>final", "<|channel|>commentary<|message|>Now {draft}<|end|>"
                                     "<|start|>assistant<|channel|>final"),
    "e02 a call": MARKED.replace("<|channel|>final", "<|channel|>commentary to=functions.Answer <|constrain|>json")
    + "<|call|>",
    "e02 special tokens dropped": "analysisWe could say {draft} hmm.assistantfinal{good}",
    "a caption that holds a mark": "{good}",
}  # fmt: skip


@pytest.mark.parametrize("service", ["openai", "anthropic"])
@pytest.mark.parametrize("kind", THOUGHTS)
def test_thoughts_are_not_the_answer(kind: str, service: str, ask: Callable[..., Seen]) -> None:
    good = GOOD.replace("a red circle", "a red circle </think>") if "caption" in kind else GOOD
    text = THOUGHTS[kind].replace("{draft}", DRAFT).replace("{good}", good)
    seen = ask(text=text, service=service)
    assert (seen.answered, len(seen.requests), seen.notes) == (True, 3, [])


def message(content: Any, finish: str = "stop", **more: Any) -> Callable[[Any, str], Any]:
    """A server whose answers hold this message."""

    def wire(body: Any, good: str) -> Any:
        said = {"role": "assistant", "content": content, **more}
        return {
            "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": said, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }  # fmt: skip

    return wire


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        ("e04 the whole answer", message("", reasoning_content=GOOD)),
        ("e04 null, with a fence", message(None, reasoning=f"```json\n{GOOD}\n```")),
        ("e04 behind the thoughts", message(None, reasoning_content=f"Or {DRAFT}?</think>{GOOD}")),
        ("e04 both", message(GOOD, reasoning_content=f"Or {DRAFT}?")),
        ("e14 in parts", message([{"type": "thinking", "thinking": DRAFT}, {"type": "text", "text": GOOD}])),
    ],
)
def test_an_answer_beside_the_text_is_read_when_nothing_else_is_there(
    kind: str, wire: Any, ask: Callable[..., Seen]
) -> None:
    seen = ask(wire=wire)
    assert (seen.answered, len(seen.requests), seen.notes) == (True, 3, []), kind


@pytest.mark.parametrize(
    ("kind", "wire", "told"),
    [
        ("e03 never closed", message(f"<think>\nLike {DRAFT} and", "length"), "cut off at 20 tokens while it was"),
        ("e03 in the analysis", message(f"<|channel|>analysis<|message|>{DRAFT}", "length"), "cut off at 20 tokens"),
        ("e03 in the answer", message(GOOD[:-30], "length"), "its answer was cut off at 20 tokens"),
        ("e03 between two boxes", message(GOOD.partition("}, {")[0] + "}", "length"), "cut off at 20 tokens"),
        ("e04 cut off", message(None, "length", reasoning=f"thinking {DRAFT}"), "cut off at 20 tokens while it was"),
        ("e04 drafts only", message("", reasoning_content=f"Either {DRAFT} or {DRAFT}?"), "thought aloud ("),
        ("e04 thoughts only", message(f"<think>{DRAFT}</think>"), "characters) and gave no answer"),
        ("refused", message("", refusal="I do not draw circles."), "it refused to answer (I do not draw circles.)"),
        ("filtered", message("", "content_filter"), "it refused to answer"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_and_not_asked_for_again(
    kind: str, wire: Any, told: str, ask: Callable[..., Seen]
) -> None:
    seen = ask(wire=wire)
    assert [plan.decided_by for plan in seen.planned] == ["rules"] * 3
    assert (told in seen.notes[0], len(seen.requests)) == (True, 3), seen.notes


# --- nearly JSON ----------------------------------------------------------------------------

SINGLE = GOOD.replace('"', "'")
CURLY = "".join("“”"[n % 2] + part if n else part for n, part in enumerate(GOOD.split('"'), 1)).removeprefix("“")
NEARLY = {
    "e07 a list as text": json.dumps({**ANSWER, "boxes": json.dumps(ANSWER["boxes"])}),
    "e07 a list as a bad text": json.dumps({**ANSWER, "boxes": str(ANSWER["boxes"])}),
    "e07 boxes as texts": json.dumps({**ANSWER, "boxes": [json.dumps(box) for box in ANSWER["boxes"]]}),
    "e07 inner lists as texts": GOOD.replace('["red"]', '"[\\"red\\"]"'),
    "e07 numbers as texts": GOOD.replace("0.4", '"0.4"').replace("0.05", '"0.05"'),
    "e08 JSON in a string": json.dumps(GOOD),
    "e08 in a fence": f"```json\n{json.dumps(GOOD)}\n```",
    "e08 without its quotes": json.dumps(GOOD)[1:-1],
    "e09 tool_call": f'<tool_call>\n{{"name": "Answer", "arguments": {GOOD}}}\n</tool_call>',
    "e09 arguments as text": f'[TOOL_CALLS][{{"name": "Answer", "arguments": {json.dumps(GOOD)}}}]',
    "e09 a list of calls": f'{{"tool_calls": [{{"function": {{"name": "Answer", "arguments": {json.dumps(GOOD)}}}}}]}}',
    "e09 XML": f"<tool_call><function=Answer><parameter=boxes>\n{json.dumps(ANSWER['boxes'])}\n</parameter>"
    "<parameter=background></parameter></function></tool_call>",
    "e09 other XML": '<invoke name="Answer">'
    f'<parameter name="boxes">{json.dumps(ANSWER["boxes"])}</parameter></invoke>',
    "e09 keys and values": f"<arg_key>boxes</arg_key>\n<arg_value>{json.dumps(ANSWER['boxes'])}</arg_value>",
    "e14 listed": f"[{GOOD}]",
    "e14 goes on": f"{GOOD}<|im_end|>\n<|im_start|>user\nThanks",
    "e15 wrapped": json.dumps({"answer": ANSWER}),
    "e15 wrapped in its name": json.dumps({"PlacedLayout": ANSWER, "notes": "none"}),
    "e15 wrapped twice": json.dumps({"response": {"result": ANSWER}}),
    "e15 trailing comma": f"{GOOD[:-1]},}}",
    "e15 comments": f"```json\n// the answer\n{GOOD[:-1]}, // done\n}}\n```",
    "e15 block comment": "{/* the boxes */ " + GOOD[1:],
    "e15 single quotes": SINGLE,
    "e15 an apostrophe": SINGLE.replace("'background': ''", "'background': \"the sea's edge\""),
    "e15 curly quotes": CURLY,
    "e15 bare keys": GOOD.replace('"boxes":', "boxes:").replace('"x":', "x:"),
    "e15 Python's words": SINGLE[:-1] + ", 'more': None, 'fine': True}",
    "e15 no commas": GOOD.replace("}, {", "} {"),
    "e15 prose before": f"Take {{x, y}} as shares of the canvas.\n{GOOD[:-1]},}}\nThat's {{it}}!",
}  # fmt: skip


@pytest.mark.parametrize("kind", NEARLY)
def test_nearly_json_costs_no_round(kind: str, ask: Callable[..., Seen]) -> None:
    seen = ask(text=NEARLY[kind])
    assert (seen.answered, len(seen.requests), seen.notes) == (True, 3, [])


@pytest.mark.parametrize(
    "text",
    [
        "I would put one circle on the left and one on the right.",
        "boxes: two circles, background: white",
        "{x, y}",
        "[0.05, 0.3, 0.4, 0.4]",
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        SINGLE[: len(SINGLE) // 2],
        "{'boxes': [" + SINGLE[SINGLE.index("{'cap") : SINGLE.index("}, {")],
    ],
)
def test_no_object_is_made_up(text: str, ask: Callable[..., Seen]) -> None:
    seen = ask(text=text)
    assert [plan.decided_by for plan in seen.planned] == ["rules"] * 3
    assert len(seen.requests) == 9, "it is shown its mistake twice, for each question"


# --- refused requests -----------------------------------------------------------------------


def most(body: dict[str, Any]) -> int:
    """Tokens of the answer that a request asks for."""
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 0)


def plain(words: str) -> dict[str, Any]:
    """An error as vLLM writes it."""
    return {"object": "error", "message": words, "type": "BadRequestError", "param": None, "code": 400}


def wrapped(words: str, **more: Any) -> dict[str, Any]:
    """An error as OpenAI and Anthropic write it."""
    return {"type": "error", "error": {"type": "invalid_request_error", "message": words, **more}}


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
def test_a_refused_request_is_changed_once_and_remembered(kind: str, ask: Callable[..., Seen], tmp_path: Path) -> None:
    refuse, refused, known = REFUSALS[kind]
    store = Recording(tmp_path / "db")
    seen = ask(refuse=refuse, store=store)
    assert (seen.answered, len(seen.requests)) == (True, 3 + refused), seen.notes
    way = known.way or "json_schema"
    assert store.last == known.model_copy(update={"way": way})
    assert len(seen.notes) == len(set(seen.notes)) <= refused + 1, "each change is told once"
    assert "the rules" not in seen.told


class Recording(LLMCache):
    """A store that tells what was learned last and keeps no answers."""

    last = Known()

    def learn(self, endpoint: str, known: Known) -> None:
        """Keep it."""
        self.last = known
        super().learn(endpoint, known)

    def answer(self, key: str) -> str | None:
        """None."""
        return None


@pytest.mark.parametrize(
    ("kind", "refuse"),
    [
        ("e10", at_most(4096, "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for m")),
        ("e10 context", at_most(6000, "input length and `max_tokens` exceed context limit: 900 + 8192 > 8192")),
        ("e11", holds(has_system, 400, wrapped("system messages are not supported by this model"))),
    ],
)
def test_anthropics_client_adapts_too(kind: str, refuse: Any, ask: Callable[..., Seen]) -> None:
    seen = ask(service="anthropic", refuse=refuse)
    assert (seen.answered, len(seen.requests)) == (True, 4), seen.notes


def test_what_was_learned_holds_in_the_next_run(faults: Any, tmp_path: Path) -> None:
    refuse = either(context(8192), named("max_completion_tokens"), holds(has_system, 400, plain(ALTERNATE)))
    fault = faults.Fault("fine", lambda body: GOOD, refuse=refuse)
    with faults.serving(fault) as url:
        for expected in (6, 9):
            assert ask_at(f"{url}/v1#m", Recording(tmp_path / "db")).answered
            assert len(fault.requests) == expected
    assert {most(body) for body in fault.requests[-3:]} == {4096}


def test_the_rules_still_reach_a_model_without_system_messages(ask: Callable[..., Seen]) -> None:
    seen = ask(refuse=holds(has_system, 400, plain("System role not supported")))
    [message] = seen.requests[-1]["messages"]
    assert message["role"] == "user"
    assert "You place the things" in message["content"]
    assert PROMPTS[-1] in message["content"]


def test_a_service_that_refuses_everything_is_left_alone(ask: Callable[..., Seen]) -> None:
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
    words: str, ask: Callable[..., Seen], tmp_path: Path
) -> None:
    store = Recording(tmp_path / "db")
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
def test_a_refused_question_is_told_once_each(kind: str, words: str, calls: int, ask: Callable[..., Seen]) -> None:
    seen = ask(refuse=lambda body: (400, plain(words)))
    assert (len(seen.requests), all(words[:40] in note for note in seen.notes)) == (calls, True), seen.notes


def test_nothing_is_sent_that_nobody_set(ask: Callable[..., Seen]) -> None:
    for service in ("openai", "anthropic"):
        [first, *_] = ask(service=service).requests
        assert not {"temperature", "top_p", "n", "seed", "frequency_penalty", "presence_penalty"} & set(first)
        assert most(first) == MOST_TOKENS


# --- answers that are errors ----------------------------------------------------------------

UPSTREAM = {"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": "no GPU is free"}}}


@pytest.mark.parametrize("service", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("kind", "body", "told", "calls"),
    [
        ("an error", wrapped("the model is still loading"), "the model is still loading", 4),
        ("an error as text", {"error": "model 'm' crashed"}, "model 'm' crashed", 4),
        ("an error from upstream", UPSTREAM, "Provider returned error no GPU is free", 3),
        ("a detail", {"detail": "Nothing here"}, "it sent no answer (Nothing here)", 1),
        ("nothing", {"id": "1", "choices": None}, "without choices", 1),
        ("none", {"id": "1", "choices": []}, "without choices", 1),
        ("a list", [1, 2], "JSON that is no answer", 1),
    ],
)
def test_an_error_under_status_200_is_told_in_its_own_words(
    kind: str, body: Any, told: str, calls: int, service: str, ask: Callable[..., Seen]
) -> None:
    seen = ask(wire=lambda sent, good: body, service=service)
    calls = calls - 1 if service == "anthropic" and calls == 4 else calls
    assert [plan.decided_by for plan in seen.planned] == ["rules"] * 3
    assert (told in seen.notes[0], len(seen.requests)) == (True, calls), seen.notes


def test_an_error_in_a_choice_and_a_web_page_are_told(ask: Callable[..., Seen]) -> None:
    def broken(body: Any, good: str) -> Any:
        made = message("")(body, good)
        made["choices"][0] |= {"finish_reason": "error", "error": {"code": 503, "message": "the worker died"}}
        return made

    seen = ask(wire=broken)
    assert ("the worker died" in seen.notes[0], len(seen.requests)) == (True, 3)
    seen = ask("page")
    assert ("it sent text/html that is no JSON" in seen.notes[0], len(seen.requests)) == (True, 1)


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": None, "completion_tokens": "20", "total_tokens": -1}, {}])
def test_e13_strange_usage_is_no_matter(usage: Any, ask: Callable[..., Seen]) -> None:
    def wire(body: Any, good: str) -> Any:
        made = message(GOOD)(body, good)
        del made["id"]
        return {**made, "created": None, "usage": usage}

    seen = ask(wire=wire)
    assert (seen.answered, len(seen.requests), seen.notes) == (True, 3, [])


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
        seen = ask_at(f"{url}/v1#m" if service == "openai" else f"anthropic:m@{url}")
    assert other[0].requests == []
    assert len(fault.requests) == 1
    assert f"it sends prompts on to {other[1]}" in seen.notes[0]


@pytest.mark.parametrize("service", ["openai", "anthropic"])
def test_a_redirect_within_a_server_is_followed(service: str, ask: Callable[..., Seen]) -> None:
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
    seen = ask_at(address)
    assert sum("goes over plain http" in note for note in seen.notes) == warned
    assert KEY not in seen.told
    line = Line()
    line.warn_of_open_key(connect(address, Reach({})))
    assert line.warned == set(), "where there is no key there is nothing to read"
