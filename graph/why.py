"""Why a picture came out as it did, in words, from its trace alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imagewright.agents.reading.describe import describe_layout
from imagewright.graph.repairs.tried import say_tried
from imagewright.intents import Topic, Tried
from imagewright.schemas import Layout

Trace = Mapping[str, Any]


def explain(trace: Trace, topic: Topic) -> str:
    """What ``trace`` says about ``topic``; about the whole picture for any other."""
    if "choice" not in trace:
        return f"run {trace['id']} has delivered nothing: {trace.get('error') or trace.get('status')}"
    return _ABOUT.get(topic, _all)(trace)


def _flow(trace: Trace) -> str:
    choice = trace["choice"] or {}
    known = {candidate["flow"]: candidate for candidate in trace["candidates"]}
    flow = choice.get("flow", trace["flow"])
    lines = [f"{flow} was chosen by {_who(choice)}: {choice.get('reason', '')}{_estimate(known.get(flow))}"]
    runner = next((c for c in trace["candidates"] if c["runnable"] and c["flow"] != flow), None)
    if runner:
        lines.append(f"runner-up: {runner['flow']}{_estimate(runner)}")
    lines += [f"not here: {name}, which needs: {why}" for name, why in list(trace["rejected"].items())[:3]]
    return "\n".join(lines)


def _who(choice: Trace) -> str:
    by = choice.get("decided_by", "rules")
    return {"rules": "the measured scores", "thread": "the conversation", "person": "you"}.get(by, f"the {by}")


def _estimate(candidate: Trace | None) -> str:
    if candidate is None:
        return ""
    return f" (estimate {candidate['estimate']:.2f}, {candidate['low']:.2f} to {candidate['high']:.2f})"


def _seed(trace: Trace) -> str:
    return f"seed {trace['seed']} (the run began with {trace['first_seed']})"


def _layout(trace: Trace) -> str:
    layout = Layout.model_validate(trace["layout"]) if trace["layout"] else None
    return f"placed by the {trace['planned_by']}:\n{describe_layout(layout)}" if layout else "nothing was placed"


def _prompt(trace: Trace) -> str:
    rounds = trace["rounds"]
    return f"drawn from: {rounds[-1]['prompt'] if rounds else trace['prompt']}"


def _verdict(trace: Trace) -> str:
    lines = []
    for number, made in enumerate(trace["rounds"], 1):
        verdict = made["verdict"]
        if verdict is None:
            lines.append(f"picture {number} was not judged")
            continue
        failed = "; ".join(check["detail"] for check in verdict["checks"] if not check["passed"])
        word = "accepted" if verdict["accepted"] else "not accepted"
        lines.append(f"picture {number}: {word}, score {verdict['score']:.2f}{': ' + failed if failed else ''}")
    lines += [f"tried: {say_tried(Tried.model_validate(tried))}" for tried in trace.get("tried", ())]
    return "\n".join(lines) or "no picture was made"


def _cost(trace: Trace) -> str:
    spent = trace["spent"] or {}
    if spent.get("unpriced"):
        cost = f", cost unknown (no price for {', '.join(spent['unpriced'])})"
    else:
        cost = f", ${spent['money']:.4f}" if spent.get("money") else ""
    tokens = f", {spent.get('tokens_in', 0)} tokens read, {spent.get('tokens_out', 0)} written"
    return f"{trace['images']} pictures, {trace['seconds']:.1f} s{tokens if spent.get('tokens_in') else ''}{cost}"


def _all(trace: Trace) -> str:
    notes = [f"note: {note}" for note in trace["notes"]]
    return "\n".join([_prompt(trace), _flow(trace), _seed(trace), _verdict(trace), _cost(trace), *notes])


_ABOUT: dict[str, Callable[[Trace], str]] = {
    "flow": _flow, "seed": _seed, "layout": _layout, "prompt": _prompt, "verdict": _verdict, "cost": _cost,
}  # fmt: skip
