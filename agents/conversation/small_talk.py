"""Sayings that ask for no picture: a complaint about a thing, a greeting, a bare "ok"."""

from __future__ import annotations

import re

from imagewright.agents.conversation.targets import NotThere, Unsure, find_boxes, names_shown
from imagewright.intents import AnyIntent, Reference, UnclearIntent

_NOTHING_SAID = re.compile(
    r"(?:ok(?:ay)?|k|sure|fine|all ?right|yes please|yep|yeah|got it|i see|hm+|uh+|hello|hi|hey|hi there|good "
    r"(?:morning|evening|day)|bye|goodbye|lol|haha+|test|testing|\?+|\.+)"
)
_ODD = r"weird|wrong|strange|odd|off|ugly|bad|funny|broken|deformed|blurry|messy|unfinished|incomplete|cut off|cropped"
_COMPLAINT = re.compile(
    rf"(?P<a>(?:the|that|this|both|all) .+?) (?:is|are|looks?|seems?|came out|turned out|got) "
    rf"(?:a bit |very |really |so |still |kind of |kinda |too |somehow |not |partly )?"
    rf"(?:{_ODD}|missing|gone|invisible|not (?:there|visible|right|good|drawn)|right|good)"
    r"|(?:fix|repair|redo|redraw|repaint|correct) (?P<b>(?:the|that|this|both) .+)"
    r"|(?:you|it) (?:forgot|missed|left out|omitted|ignored) (?P<c>(?:the|a|an|that|both) .+)"
    r"|i (?:can'?t|cannot|can not|don'?t|do not) see (?P<d>(?:the|a|an|any|that) .+)"
    r"|(?:there(?:'s| is| are)|where(?:'s| is| are)) (?:no |not (?:an?|any) )(?P<e>.+?)"
    r"(?: (?:in it|there|here|at all))*"
)
"""A thing that is there by the layout, and is not to the person's liking."""


def read_small_talk(said: str, picture: Reference) -> AnyIntent | None:
    """What says nothing to draw or to change; None for anything else."""
    if _NOTHING_SAID.fullmatch(said):
        return UnclearIntent(reason="say what to change, or what to draw next; `help` lists what is understood")
    found = _COMPLAINT.fullmatch(said)
    what = next((text for text in found.groups() if text), "") if found else ""
    if not what or not names_shown(what, picture):
        return None
    try:
        boxes = find_boxes(what, picture)
    except (NotThere, Unsure):
        return None
    name = picture.shown.boxes[boxes[0]].caption.split(" ", 1)[-1] if picture.shown else what
    reason = f"the layout has the {name}: shall it be drawn again as it is? Or say how it shall be"
    return UnclearIntent(reason=reason, choices=("one more", f"make the {name} bigger"))
