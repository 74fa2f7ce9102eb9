"""Nouns are asked where their things stand: the answers are the scene's, and asking teaches an encoder word order."""

import random

import torch

from imagewright.t2i_backends.mini import sizes
from imagewright.t2i_backends.mini.architecture import build_text_encoders, build_tokenizer
from imagewright.t2i_backends.mini.training.reading import PlaceReader, noun_shapes
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Group, Scene, Thing

TOKENIZER = build_tokenizer()
PAIR = Scene(
    (Group(1, "red", "circle"), Group(2, "blue", "star")), "left", None, "white",
    (Thing("circle", "red", 0.2, 0.5, 0.2), Thing("star", "blue", 0.8, 0.2, 0.2), Thing("star", "blue", 0.8, 0.8, 0.2)),
    0.5,
)  # fmt: skip


def ids_of(*texts: str) -> torch.Tensor:
    ids: torch.Tensor = TOKENIZER(list(texts), padding="max_length", return_tensors="pt").input_ids
    return ids


def reader(width: int = 4) -> PlaceReader:
    return PlaceReader(TOKENIZER.get_vocab(), width)


def test_every_noun_names_a_shape_and_colours_are_no_nouns() -> None:
    nouns = noun_shapes()
    assert set(nouns.values()) == set(SHAPES)
    assert (nouns["ball"], nouns["balls"], nouns["circles"]) == ("circle", "circle", "circle")
    assert not set(nouns) & set(COLOURS)


def test_a_head_that_knows_the_places_is_right_and_one_that_swaps_them_is_wrong() -> None:
    ids, asked = ids_of("a red ball left of two blue stars"), reader()
    vocabulary = TOKENIZER.get_vocab()
    left, right = torch.eye(4)[0], torch.eye(4)[1]
    with torch.no_grad():
        asked.head.weight.zero_()
        asked.head.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.0, 9.0, 0.0]))  # the middle of the other axis
        asked.head.weight[0], asked.head.weight[2] = 9 * left, 9 * right
    tokens = torch.zeros(*ids.shape, 4)
    for word, where in (("ball", left), ("stars", right)):
        tokens[ids == vocabulary[word]] = where
    loss, share = asked.loss(tokens, ids, [PAIR])
    assert (float(share), loss.item() < 0.01) == (1.0, True)
    loss, share = asked.loss(tokens.flip(-1).roll(-2, -1), ids, [PAIR])
    assert (float(share), loss.item() > 1) == (0.0, True)


def test_what_cannot_be_told_is_not_asked() -> None:
    alike = Scene(
        (Group(1, "red", "star"), Group(1, "blue", "star")), "left", None, "white",
        (Thing("star", "red", 0.2, 0.5, 0.2), Thing("star", "blue", 0.8, 0.5, 0.2)), 0.5,
    )  # fmt: skip
    ids = ids_of("a red star left of a blue star", "")
    loss, share = reader().loss(torch.zeros(2, sizes.PROMPT_TOKENS, 4), ids, [alike, PAIR])
    assert (float(loss), float(share)) == (0.0, 1.0)


def test_asking_teaches_an_encoder_who_comes_first() -> None:
    torch.manual_seed(0)
    _, t5 = build_text_encoders(TOKENIZER)
    asked, rng = reader(t5.config.d_model), random.Random(1)
    optimiser = torch.optim.AdamW([*t5.parameters(), *asked.parameters()], lr=2e-3)
    shares = []
    for _ in range(20):
        scenes, texts = zip(*(_listed(rng) for _ in range(32)), strict=True)
        ids = ids_of(*texts)
        loss, share = asked.loss(t5(ids)[0], ids, scenes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        shares.append(float(share))
    assert shares[0] < 0.6
    assert min(shares[-5:]) > 0.9


def _listed(rng: random.Random) -> tuple[Scene, str]:
    """Two things side by side, and a caption that names the left one first."""
    first, second = rng.sample(("circle", "star"), 2)
    things = (Thing(first, "red", 0.25, 0.5, 0.2), Thing(second, "blue", 0.75, 0.5, 0.2))
    groups = (Group(1, "red", first), Group(1, "blue", second))
    return Scene(groups, None, None, "white", things, 0.5), f"a red {first} and a blue {second}"
