"""What people met at language-model endpoints: answers with thoughts in them, nearly JSON, and answers that are none.

The providers' own clients, with the calls that they make for three questions.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


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
ANSWER, GOOD, DRAFT = kit.ANSWER, kit.GOOD, kit.DRAFT
message, wrapped = kit.message, kit.wrapped


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
def test_thoughts_are_not_the_answer(kind: str, service: str, ask: Callable[..., Any]) -> None:
    good = GOOD.replace("a red circle", "a red circle </think>") if "caption" in kind else GOOD
    text = THOUGHTS[kind].replace("{draft}", DRAFT).replace("{good}", good)
    seen = ask(text=text, service=service)
    assert (seen.answered, len(seen.requests), seen.notes) == (True, 3, [])


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
    kind: str, wire: Any, ask: Callable[..., Any]
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
    kind: str, wire: Any, told: str, ask: Callable[..., Any]
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
def test_nearly_json_costs_no_round(kind: str, ask: Callable[..., Any]) -> None:
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
def test_no_object_is_made_up(text: str, ask: Callable[..., Any]) -> None:
    seen = ask(text=text)
    assert [plan.decided_by for plan in seen.planned] == ["rules"] * 3
    assert len(seen.requests) == 9, "it is shown its mistake twice, for each question"


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
    kind: str, body: Any, told: str, calls: int, service: str, ask: Callable[..., Any]
) -> None:
    seen = ask(wire=lambda sent, good: body, service=service)
    calls = calls - 1 if service == "anthropic" and calls == 4 else calls
    assert [plan.decided_by for plan in seen.planned] == ["rules"] * 3
    assert (told in seen.notes[0], len(seen.requests)) == (True, calls), seen.notes


def test_an_error_in_a_choice_and_a_web_page_are_told(ask: Callable[..., Any]) -> None:
    def broken(body: Any, good: str) -> Any:
        made = message("")(body, good)
        made["choices"][0] |= {"finish_reason": "error", "error": {"code": 503, "message": "the worker died"}}
        return made

    seen = ask(wire=broken)
    assert ("the worker died" in seen.notes[0], len(seen.requests)) == (True, 3)
    seen = ask("page")
    assert ("it sent text/html that is no JSON" in seen.notes[0], len(seen.requests)) == (True, 1)


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": None, "completion_tokens": "20", "total_tokens": -1}, {}])
def test_e13_strange_usage_is_no_matter(usage: Any, ask: Callable[..., Any]) -> None:
    def wire(body: Any, good: str) -> Any:
        made = message(GOOD)(body, good)
        del made["id"]
        return {**made, "created": None, "usage": usage}

    seen = ask(wire=wire)
    assert (seen.answered, len(seen.requests), seen.notes) == (True, 3, [])
