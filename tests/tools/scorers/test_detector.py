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

    def __init__(self, *things: Detection, sure: float = 0.0) -> None:
        self.things, self.sure = things, sure

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


@pytest.mark.parametrize(
    ("scores", "count", "score"),
    [
        ((0.9, 0.9), 2, 1.0),
        ((0.9, 0.3), 2, 0.75),
        ((0.3, 0.9), 1, 2 / 3),  # the whole one of the two is what was asked for
        ((0.3, 0.3), 2, 0.5),
    ],
)
def test_half_formed_things_count_half(scores: tuple[float, ...], count: int, score: float) -> None:
    things = [thing("cup", "red", 0.4 * k).model_copy(update={"score": seen}) for k, seen in enumerate(scores)]
    asked = ParsedPrompt(groups=(ParsedGroup(object="cup", attributes=("red",), count=count),))
    image = Image.new("RGB", (8, 8))
    scorer = DetectorScorer(Told(*things, sure=0.5))
    assert scorer.score("", asked, image) == pytest.approx(score)
    assert scorer.name.startswith("agreement and form/")
    assert DetectorScorer(Told(*things)).name.startswith("agreement/")


def test_other_words_mean_the_same() -> None:
    assert [(g.object, g.attributes) for g in plainly(ASKED, WORDS).groups] == [("cup", ("red",)), ("boat", ("gray",))]
