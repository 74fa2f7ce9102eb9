"""When the loop ends, and which picture is delivered.

The loop goes on until the first of these: a picture is accepted, or was not checked; five rounds in a row were no
better than the best one before them, or four, where that one has all that was asked for and only the form of a thing is
doubted; ``max_images`` pictures are made; ``max_seconds`` are used; the next picture would cost more than is
left of ``max_money``. In a conversation the person is asked before one of the last three, and yes allows as much again.
What is delivered is always the best picture so far: an accepted one, else the highest score, and among equals the
earliest; a polished one only where it was found to be better and still right.

Before each picture the limits are looked at, and the person is asked about passing one.
"""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.agents.critic.verdict import failed_checks, only_form
from imagewright.agents.llm.account import LimitName
from imagewright.errors import BudgetSpent
from imagewright.graph.parts import Parts
from imagewright.graph.spending import ask_about, picture_name
from imagewright.graph.state import Attempt, State
from imagewright.schemas import DrawRequest, Round

PATIENCE = 5
"""How many rounds in a row may fail to improve on the best one before them."""
FORM_PATIENCE = 4
"""The same where everything is there and only the form of a thing is doubted: another picture, then three close-ups.
Such a picture is mostly right, and other whole pictures are mostly no better."""


def _rank(made: Round) -> tuple[bool, float]:
    """How good a round is; one that nobody judged is worth less than any judged one."""
    return (made.verdict.accepted, made.verdict.score) if made.verdict else (False, -1.0)


def best(rounds: Sequence[Round]) -> Round:
    """The round to deliver."""
    return max(rounds, key=_rank)


def ground(rounds: Sequence[Round]) -> Round:
    """The round from which the next attempt starts: the best so far, and among equals the latest."""
    return max(reversed(rounds), key=_rank)


def pick_delivered(state: State) -> Round:
    """The round that the run hands over: the polished one where it was preferred, else the best."""
    preferred = [made for made in state.rounds if made.image == state.preferred]
    return preferred[-1] if preferred else best(state.rounds)


def only_blurred(made: Round) -> bool:
    """Whether a picture has all that was asked for, and only the form of a thing is doubted."""
    return made.verdict is not None and only_form(failed_checks(made.verdict.checks))


def patience(rounds: Sequence[Round]) -> int:
    """How many rounds in a row may fail to improve on the best of ``rounds``."""
    return FORM_PATIENCE if only_blurred(best(rounds)) else PATIENCE


def has_stalled(rounds: Sequence[Round]) -> bool:
    """Whether the last rounds, as many as ``patience`` allows, were no better than the best one before them."""
    allowed = patience(rounds) if rounds else 0
    if len(rounds) <= allowed:
        return False
    return _rank(best(rounds[-allowed:])) <= _rank(best(rounds[:-allowed]))


def seconds_left(state: State) -> float:
    """How long the run may still take; infinite without a limit. Time used before a kill or a stop counts."""
    limit = seconds_limit(state)
    return float("inf") if limit is None else limit - state.spent.seconds


def seconds_limit(state: State) -> float | None:
    """The seconds that the run may take, with what the person has added; None without a limit."""
    first = state.request.max_seconds
    return None if first is None else first * (1 + state.extended.count("seconds"))


def _images(state: State) -> int:
    return state.request.max_images * (1 + state.extended.count("images"))


def passing(state: State) -> tuple[LimitName, str] | None:
    """The limit that one more picture would pass, and its size in words; None where there is room."""
    if len(state.rounds) >= (images := _images(state)):
        return "images", f"{images} image{'s' * (images != 1)}"
    if seconds_left(state) <= 0:
        return "seconds", f"{seconds_limit(state):g} seconds"
    return None


def say_used_up(state: State, name: LimitName, size: str) -> str:
    """That a limit is reached, and how to raise it; who was asked and said no need not hear how."""
    if name in state.declined:
        return f"{size} are used" if _is_own(state, name) else f"{size} were made"
    if not _is_own(state, name):
        return f"{size} were made; --max-images allows more"
    return f"the budget of {size} is used; raise it with --max-{name}"


def _is_own(state: State, name: LimitName) -> bool:
    """Whether the person set a limit, so that it may be called theirs; the number of images has a default."""
    return name != "images" or state.request.max_images != DrawRequest.model_fields["max_images"].default


def why_stop(state: State, asks: bool = False) -> str:
    """Why no further picture is made, in words; empty while there is room for one.

    Where the person can be asked (``asks``), a limit that they did not decline does not end the loop: they are asked
    before the next picture.
    """
    if has_stalled(state.rounds):
        return f"{patience(state.rounds)} rounds in a row were no better than the best picture"
    over = passing(state)
    return say_used_up(state, *over) if over and not (asks and over[0] not in state.declined) else ""


def insist_on_room(state: State, asks: bool = False) -> None:
    """Refuse a run whose budget is used up before its first picture.

    Raises:
        BudgetSpent: nothing may be drawn any more and there is nothing to deliver.
    """
    if not state.rounds and (reason := why_stop(state, asks)):
        raise nothing_made(reason)


def nothing_made(reason: str) -> BudgetSpent:
    """The end of a run that may draw nothing and has nothing to deliver."""
    first, _, remedy = reason.partition("; ")
    return BudgetSpent(f"{first}, and no picture was made", remedy or "allow more, or leave the limit out")


# --- the person's word ----------------------------------------------------------------------


def allow(state: State, parts: Parts, attempt: Attempt) -> tuple[State, str]:
    """The state with what the person said, and why ``attempt`` may not be drawn; empty when it may.

    The money comes first, for its question is asked by the account and its answer is kept there: asked again after an
    interruption, the questions must come in the same order.
    """
    if reason := parts.account.why_no_picture(picture_name(parts, state, attempt.flow)):
        return _with_account(state, parts), reason
    state = _with_account(state, parts)
    while (over := passing(state)) is not None:
        name, size = over
        if not parts.asks or name in state.declined or size.startswith("0 "):
            return state, say_used_up(state, name, size)
        if ask_about(name, _say_over(state, name, size)):
            state = _extended(state, name)
        else:
            state = state.model_copy(update={"declined": (*state.declined, name)})
    return state, ""


def out_of_time(state: State, parts: Parts) -> str:
    """The seconds ended inside a picture: why the run ends there. A person who can be asked is asked instead.

    The question is put when the node is done again, for then the seconds that this picture took are counted.
    """
    over = f"{seconds_limit(state):g} seconds"
    if parts.asks and "seconds" not in state.declined:
        ask_about("seconds", f"this picture would pass your limit of {over}{_so_far(state)}")
    return say_used_up(state, "seconds", over)


def _extended(state: State, name: LimitName) -> State:
    """The state with as much allowed again, and what one more picture takes."""
    while (over := passing(state)) is not None and over[0] == name:
        state = state.model_copy(update={"extended": (*state.extended, name)})
    return state


def _with_account(state: State, parts: Parts) -> State:
    account = parts.account
    return state.model_copy(update={"extended": account.extended, "declined": account.declined})


def _say_over(state: State, name: LimitName, size: str) -> str:
    if not _is_own(state, name):
        return f"{size} were made and none is accepted{_so_far(state)}; more may take as many again"
    return f"{_more(state)} would pass your limit of {size}{_so_far(state)}"


def _more(state: State) -> str:
    return "another picture" if state.rounds else "a picture"


def _so_far(state: State) -> str:
    if not state.rounds:
        return ""
    judged = best(state.rounds).verdict
    return f" (the best so far scores {judged.score:.2f})" if judged else ""
