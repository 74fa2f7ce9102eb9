"""Whether the planned layout governs a picture: what the request wants, and how the flow was measured."""

from __future__ import annotations

from imagewright.flow_tags import WORDS_ONLY
from imagewright.schemas import DrawRequest, Flow, Layout


def placing(layout: Layout | None) -> Layout | None:
    """``layout`` where it has boxes; what only says what must not appear places nothing."""
    return layout if layout is not None and layout.boxes else None


def governing(request: DrawRequest, flow: Flow, layout: Layout | None) -> Layout | None:
    """``layout`` where it governs what ``flow`` draws for ``request``; None where the flow places things itself.

    A flow that was measured from words alone is run so: of the layout only what must not appear is left. The layout
    governs it all the same where the request says ``always``, and in a conversation, for the next edit has to know
    where things stand.
    """
    layout = placing(layout)
    if layout is None or not request.use_layout:
        return None
    if WORDS_ONLY not in flow.card.tags or request.use_layout == "always" or request.thread is not None:
        return layout
    return Layout(background=layout.background, negative=layout.negative) if layout.negative else None
