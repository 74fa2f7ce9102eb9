"""How a flow takes a layout is a field of its card; cards from before the field said it as a tag."""

import pytest

from imagewright.retrieval.builtin import load_shipped_flows
from imagewright.retrieval.card import card_text
from imagewright.schemas import Card, Flow


@pytest.mark.parametrize(("tag", "use"), [("regions", "regions"), ("words-only", "words")])
def test_a_tag_of_before_is_read_as_the_field(tag: str, use: str) -> None:
    card = Card.model_validate({"title": "Old", "tags": ["mini", tag]})
    assert (card.tags, card.layout) == (("mini",), use)
    assert card.labels == ("mini", tag), "what is embedded is as before, so that vectors stay"
    assert Card.model_validate(card.model_dump()) == card


def test_a_tag_that_somebody_adds_later_counts_over_the_field() -> None:
    card = Card(title="Mine", layout="words")
    assert Card.model_validate({**card.model_dump(), "tags": ["regions"]}).layout == "regions"


def test_a_card_that_says_nothing_is_laid_out_wherever_a_layout_is_wanted() -> None:
    assert Card(title="Plain", tags=("castle",)).layout == "either"
    assert card_text(Flow(id="f", graph={}, card=Card(title="Plain", tags=("castle",)))) == "Plain. castle"


def test_the_shipped_cards_say_it_in_the_field() -> None:
    flows = {flow.id: flow.card for flow in load_shipped_flows()}
    assert flows["mini-layout"].layout == "regions"
    assert flows["mini-quick"].layout == "words"
    assert "shapes, fast, words-only" in ", ".join(flows["mini-quick"].labels)
