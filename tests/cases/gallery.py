"""Prompts as people post them, with what must be claimed of each and what alone may be claimed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from imagewright.agents.layout.rules import layout_of
from imagewright.agents.reading.parse import parse_prompt
from imagewright.schemas import ParsedPrompt

DATA = Path(__file__).parents[1] / "data"


class Posted(BaseModel):
    """One prompt of the gallery."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    prompt: str
    must: tuple[tuple[int, str], ...] = ()
    """How many of what are plainly stated; nothing else may be counted."""
    may: tuple[str, ...] = ()
    """Things that may have a box, once each or in a vague number."""
    relations: tuple[tuple[str, str, str], ...] = ()

    @property
    def arranged(self) -> bool:
        """Whether the prompt states an arrangement."""
        return bool(self.must)


def read_gallery(name: str) -> list[Posted]:
    """The prompts of one file of the gallery."""
    return [Posted.model_validate_json(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def false_claims(posted: Posted) -> list[str]:
    """Counts and boxes that the prompt does not ask for."""
    parsed = parse_prompt(posted.prompt)
    wanted = Counter({name: sum(n for n, other in posted.must if other == name) for _, name in posted.must})
    claimed = _things(parsed)
    wrong = [f"{n} {name}" for name, n in claimed.items() if name not in wanted and name not in posted.may]
    wrong += [f"{n} {name}, not {wanted[name]}" for name, n in claimed.items() if name in wanted and n > wanted[name]]
    wrong += [f"exactly {g.count} {g.object}" for g in parsed.groups if _head(g.object) in posted.may and _counts(g)]
    known = {_head(group.object) for group in parsed.groups}
    return wrong + [f"a box of {box.object}" for box in layout_of(parsed).boxes if _head(box.object) not in known]


def missed(posted: Posted) -> list[str]:
    """What the prompt plainly states and the reading has not."""
    parsed = parse_prompt(posted.prompt)
    claimed = _things(parsed)
    wanted = {name: sum(n for n, other in posted.must if other == name) for _, name in posted.must}
    lost = [f"{n} {name}, not {claimed[name]}" for name, n in wanted.items() if claimed[name] != n]
    stated = {(_head(parsed.groups[r.subject].object), r.relation, _head(parsed.groups[r.object].object))
              for r in parsed.relations}  # fmt: skip
    return lost + [" ".join(relation) for relation in posted.relations if not _holds(relation, stated)]


def _things(parsed: ParsedPrompt) -> Counter[str]:
    counted: Counter[str] = Counter()
    for group in parsed.groups:
        counted[_head(group.object)] += group.count
    return counted


def _counts(group: object) -> bool:
    return bool(group.exact) and group.count > 1


def _head(name: str) -> str:
    return name.rpartition(" ")[2]


def _holds(relation: tuple[str, str, str], stated: set[tuple[str, str, str]]) -> bool:
    turned = {"left": "right", "right": "left", "above": "below", "below": "above", "behind": "in-front"}
    subject, name, other = relation
    return relation in stated or (other, turned.get(name, name), subject) in stated


def shares(name: str) -> tuple[float, float, dict[str, list[str]]]:
    """Of one file: the share without a false claim, the share of arrangements found, and what is wrong of which."""
    rows = read_gallery(name)
    false = {row.prompt: found for row in rows if (found := false_claims(row))}
    lost = {row.prompt: found for row in rows if row.arranged and (found := missed(row))}
    arranged = sum(row.arranged for row in rows)
    plain = [row for row in rows if not row.arranged]
    clean = 1 - sum(row.prompt in false for row in plain) / max(1, len(plain))
    wrong = {prompt: [*false.get(prompt, []), *lost.get(prompt, [])] for prompt in {**false, **lost}}
    return clean, 1 - len(lost) / max(1, arranged), wrong


if __name__ == "__main__":
    import sys

    clean, found, wrong = shares(sys.argv[1])
    print(json.dumps(wrong, indent=1, ensure_ascii=False), f"clean {clean:.1%}, found {found:.1%}", sep="\n")
