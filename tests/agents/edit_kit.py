"""Says things about a picture and looks at what became of its layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imagewright.agents.conversation.edits import settle
from imagewright.agents.conversation.rules import RulesInterpreter
from imagewright.agents.layout.rules import layout_of
from imagewright.agents.reading.parse import parse_prompt
from imagewright.intents import Intent, Reference, Settled
from imagewright.schemas import Box


def picture(prompt: str, number: int = 1, **fields: Any) -> Reference:
    """A picture of a thread as if it had been drawn from ``prompt``."""
    parsed = parse_prompt(prompt)
    layout = layout_of(parsed)
    return Reference(run=f"run-{number}", prompt=prompt, said=prompt, image=f"{number:064x}", flow="f", seed=7,
                     number=number, parsed=parsed, layout=layout, **fields)  # fmt: skip


def say(prompt: str, said: str) -> tuple[Reference, Intent, Settled | None]:
    """What the rules make of ``said`` with the picture of ``prompt`` before them."""
    base = picture(prompt)
    intent = RulesInterpreter().interpret(said, (base,))
    return base, intent, settle(intent, (base,)) if intent.kind == "edit" else None


def problem(prompt: str, said: str, expect: dict[str, Any]) -> str:
    """Why the layout did not change as expected, in words; empty when it did."""
    base, intent, settled = say(prompt, said)
    if settled is None:
        return f"{intent.kind}: {getattr(intent, 'reason', '')}"
    assert base.layout is not None
    assert settled.layout is not None
    old, new = base.layout.boxes, settled.layout.boxes
    wanted = expect["parts"] if expect["op"] == "several" else [expect]
    touched = {n for part in wanted for n in (*part.get("boxes", ()), *part.get("gives_way", ()))}
    why = [_CHECKS[part["op"]](old, new, settled, part) for part in wanted]
    kept = [box for n, box in enumerate(old) if n not in touched]
    why += [f"{box.caption} was not to change" for box in kept if box not in new]
    return "; ".join(text for text in why if text)


def _recolour(old: Sequence[Box], new: Sequence[Box], settled: Settled, part: dict[str, Any]) -> str:
    return "".join(f"box {n} is {new[n].caption}; " for n in part["boxes"] if new[n].caption != part["caption"])


def _resize(old: Sequence[Box], new: Sequence[Box], settled: Settled, part: dict[str, Any]) -> str:
    def grew(n: int) -> bool:
        return new[n].width * new[n].height > old[n].width * old[n].height * 1.05

    def shrank(n: int) -> bool:
        return new[n].width * new[n].height < old[n].width * old[n].height * 0.95

    return "".join(f"box {n} has the wrong size; " for n in part["boxes"] if not (grew if part["grows"] else shrank)(n))


_WAYS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
_PLACES = {"top-left": (0, 0), "top-right": (1, 0), "bottom": (None, 1), "top": (None, 0), "left": (0, None),
           "right": (1, None), "bottom-left": (0, 1), "bottom-right": (1, 1), "middle": (0.5, 0.5)}  # fmt: skip


def _move(old: Sequence[Box], new: Sequence[Box], settled: Settled, part: dict[str, Any]) -> str:
    for n in part["boxes"]:
        if "toward" in part:
            across, down = _WAYS[part["toward"]]
            gone = (new[n].x - old[n].x) * across + (new[n].y - old[n].y) * down
            aside = abs((new[n].x - old[n].x) * down) + abs((new[n].y - old[n].y) * across)
            if gone < 0.02 or aside > 1e-6:
                return f"box {n} went from {old[n].x},{old[n].y} to {new[n].x},{new[n].y}"
        elif why := _is_at(new[n], new, part):
            return why
    return ""


def _is_at(box: Box, new: Sequence[Box], part: dict[str, Any]) -> str:
    if "place" in part:
        x, y = _PLACES[part["place"]]
        far = [v for v, at, low, high in ((box.x, x, 0.02, 0.98 - box.width), (box.y, y, 0.02, 0.98 - box.height))
               if at is not None and abs(v - (low + at * (high - low))) > 0.05]  # fmt: skip
        return f"it is at {box.x},{box.y}" if far else ""
    if "relation" not in part:
        return ""
    relation, other = part["relation"][0], new[part["relation"][1]]
    (ax, ay), (bx, by) = box.centre, other.centre
    stands = {
        "left": ax < bx,
        "right": ax > bx,
        "above": ay < by,
        "below": ay > by,
        "near": max(abs(ax - bx) - (box.width + other.width) / 2, abs(ay - by) - (box.height + other.height) / 2) < 0.1,
    }
    return "" if stands[relation] else f"it does not stand {relation} {other.caption}"


def _add(old: Sequence[Box], new: Sequence[Box], settled: Settled, part: dict[str, Any]) -> str:
    fresh = new[len(old) :]
    if [box.caption for box in fresh] != [part["caption"]] * part["count"]:
        return f"added {[box.caption for box in fresh]}"
    return "".join(_is_at(box, new, part) for box in fresh)


def _remove(old: Sequence[Box], new: Sequence[Box], settled: Settled, part: dict[str, Any]) -> str:
    left = [box for n, box in enumerate(old) if n not in part["boxes"]]
    return "" if list(new) == left else f"left are {[box.caption for box in new]}"


def _whole(old: Sequence[Box], new: Sequence[Box], settled: Settled, part: dict[str, Any]) -> str:
    assert settled.layout is not None
    text = settled.layout.background if part["op"] == "background" else " ".join(settled.parsed.style)
    if settled.redraw:
        return "only a part would be redrawn"
    return "" if part["text"].lower() in text.lower() else f"the {part['op']} is {text!r}"


def _swap(old: Sequence[Box], new: Sequence[Box], settled: Settled, part: dict[str, Any]) -> str:
    a, b = part["boxes"]
    there = abs(new[a].centre[0] - old[b].centre[0]) + abs(new[b].centre[0] - old[a].centre[0])
    return "" if there < 0.1 else "they did not change places"


_CHECKS = {"recolour": _recolour, "replace": _recolour, "resize": _resize, "move": _move, "add": _add,
           "remove": _remove, "background": _whole, "style": _whole, "swap": _swap}  # fmt: skip
