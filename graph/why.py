"""Why a picture came out as it did, in words, from its trace alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imagewright.agents.reading.describe import describe_layout
from imagewright.intents import Topic
from imagewright.schemas import Candidate, Choice
from imagewright.trace import Trace, TraceSpent, read_trace


def explain(trace: Trace | Mapping[str, Any], topic: Topic) -> str:
    """What ``trace`` says about ``topic``; about the whole picture for any other.

    Raises:
        BadInput: ``trace`` is none, or cannot be read by this version.
    """
    trace = read_trace(trace)
    if not trace.delivered:
        return f"run {trace.id} has delivered nothing: {trace.error or trace.status}"
    return _ABOUT.get(topic, _all)(trace)


def _flow(trace: Trace) -> str:
    choice = trace.choice or Choice(flow=trace.flow, reason="")
    known = {candidate.flow: candidate for candidate in trace.candidates}
    lines = [f"{choice.flow} was chosen by {_who(choice)}: {choice.reason}{_estimate(known.get(choice.flow))}"]
    runner = next((c for c in trace.candidates if c.runnable and c.flow != choice.flow), None)
    if runner:
        lines.append(f"runner-up: {runner.flow}{_estimate(runner)}")
    lines += [f"not here: {name}, which needs: {why}" for name, why in list(trace.rejected.items())[:3]]
    return "\n".join(lines)


def _who(choice: Choice) -> str:
    by = choice.decided_by
    return {"rules": "the measured scores", "thread": "the conversation", "person": "you"}.get(by, f"the {by}")


def _estimate(candidate: Candidate | None) -> str:
    if candidate is None:
        return ""
    return f" (estimate {candidate.estimate:.2f}, {candidate.low:.2f} to {candidate.high:.2f})"


def _seed(trace: Trace) -> str:
    return f"seed {trace.seed} (the run began with {trace.first_seed})"


def _layout(trace: Trace) -> str:
    if trace.layout is None:
        return "nothing was placed"
    return f"placed by the {trace.planned_by}:\n{describe_layout(trace.layout)}"


def _prompt(trace: Trace) -> str:
    return f"drawn from: {trace.rounds[-1].prompt if trace.rounds else trace.prompt}"


def _verdict(trace: Trace) -> str:
    lines = []
    for number, made in enumerate(trace.rounds, 1):
        verdict = made.verdict
        if verdict is None:
            lines.append(f"picture {number} was not judged")
            continue
        failed = "; ".join(check.detail for check in verdict.checks if not check.passed)
        word = "accepted" if verdict.accepted else "not accepted"
        lines.append(f"picture {number}: {word}, score {verdict.score:.2f}{': ' + failed if failed else ''}")
    lines += [f"tried: {tried.tell()}" for tried in trace.tried]
    return "\n".join(lines) or "no picture was made"


def _cost(trace: Trace) -> str:
    spent = trace.spent or TraceSpent()
    if spent.unpriced:
        cost = f", cost unknown (no price for {', '.join(spent.unpriced)})"
    else:
        cost = f", ${spent.money:.4f}" if spent.money and spent.money != "unknown" else ""
    tokens = f", {spent.tokens_in} tokens read, {spent.tokens_out} written" if spent.tokens_in else ""
    return f"{trace.images} picture{'s' * (trace.images != 1)}, {trace.seconds:.1f} s{tokens}{cost}"


def _all(trace: Trace) -> str:
    notes = [f"note: {note}" for note in trace.notes]
    notes += [f"not understood by this version: {', '.join(trace.unknown)}"] if trace.unknown else []
    return "\n".join([_prompt(trace), _flow(trace), _seed(trace), _verdict(trace), _cost(trace), *notes])


_ABOUT: dict[str, Callable[[Trace], str]] = {
    "flow": _flow, "seed": _seed, "layout": _layout, "prompt": _prompt, "verdict": _verdict, "cost": _cost,
}  # fmt: skip
