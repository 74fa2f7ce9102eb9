"""The scorer of mini's evidence: what agreement is, in numbers, and that synonyms do not count against a picture."""

import pytest
from PIL import Image

from imagewright.ports import Picture
from imagewright.schemas import Detection, ParsedGroup, ParsedPrompt, ParsedRelation
from imagewright.synonyms import plainly
from imagewright.tools.scorers.detector import DetectorScorer


class Told:
    """Sees what it is told to see."""

    labels = frozenset(("cup", "boat", "background"))
    colours = frozenset(("red", "blue", "gray"))
    sure = 0.0

    def __init__(self, *things: Detection) -> None:
        self.things = things

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        return self.things


def thing(name: str, colour: str, x: float) -> Detection:
    return Detection(object=name, attributes=(colour,), score=0.9, x=x, y=0.4, width=0.2, height=0.2)


ASKED = ParsedPrompt(
    groups=(ParsedGroup(object="mug", attributes=("red",)), ParsedGroup(object="ship", attributes=("grey",))),
    relations=(ParsedRelation(subject=0, relation="left", object=1),),
)
WORDS = {"mug": "cup", "ship": "boat", "grey": "gray"}


@pytest.mark.parametrize(
    ("things", "score"),
    [
        ((thing("cup", "red", 0.1), thing("boat", "gray", 0.7)), 1.0),
        ((thing("cup", "red", 0.7), thing("boat", "gray", 0.1)), 0.7),
        ((thing("cup", "red", 0.1), thing("boat", "blue", 0.7)), 0.7 * 0.75),
        ((), 0.0),
    ],
)
def test_agreement(things: tuple[Detection, ...], score: float) -> None:
    scorer = DetectorScorer(Told(*things), WORDS)
    assert scorer.score("", ASKED, Image.new("RGB", (8, 8))) == pytest.approx(score)


def test_other_words_mean_the_same() -> None:
    assert [(g.object, g.attributes) for g in plainly(ASKED, WORDS).groups] == [("cup", ("red",)), ("boat", ("gray",))]
