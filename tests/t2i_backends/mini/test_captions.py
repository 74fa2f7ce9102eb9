"""Captions of mini's world: closed words, every group named, held-out wordings never met in training."""

import random

from imagewright.t2i_backends.mini import captions
from imagewright.t2i_backends.mini.captions import (
    COLOUR_WORDS,
    SYNONYMS,
    caption,
    plural_noun,
    thing_caption,
    vocabulary,
)
from imagewright.t2i_backends.mini.world import Group, Scene, Thing, sample_scene


def scenes(count: int, seed: int) -> list[Scene]:
    rng = random.Random(seed)
    return [sample_scene(rng) for _ in range(count)]


def test_captions_use_only_the_vocabulary_and_name_every_group() -> None:
    words, rng = set(vocabulary()), random.Random(2)
    for number, scene in enumerate(scenes(600, seed=3)):
        text = caption(scene, rng, held_out=number % 2 == 0)
        said = set(text.split())
        assert said <= words, text
        for group in scene.groups:
            assert said & set(COLOUR_WORDS.get(group.colour, (group.colour,))), text
            assert said & {form for noun in SYNONYMS[group.shape] for form in (noun, plural_noun(noun))}, text


def test_training_meets_every_word_of_the_held_out_captions() -> None:
    rng = random.Random(4)
    known = {word for scene in scenes(6000, seed=5) for word in caption(scene, rng).split()}
    held = {word for scene in scenes(600, seed=6) for word in caption(scene, rng, held_out=True).split()}
    assert held <= known


def test_a_held_out_caption_is_worded_as_training_never_is() -> None:
    # What the wordings are made of, without what differs between prompts.
    for wordings in (
        captions.LEADS, captions.RELATED, captions.PAIRED, captions.LISTED, captions.PLACED,
        captions.BACKGROUND, *captions.STYLED.values(),
    ):  # fmt: skip
        assert wordings.held_out
        assert not set(wordings.known) & set(wordings.held_out)
    group = Group(1, "red", "triangle")
    scene = Scene((group,), None, None, "white", (Thing("triangle", "red", 0.5, 0.5, 0.5),), 0.5)
    rng = random.Random(7)
    held_out = {caption(scene, rng, held_out=True) for _ in range(200)}
    assert not held_out & {caption(scene, rng) for _ in range(4000)}
    assert not held_out & {caption(scene, rng, lesson=True) for _ in range(8000)}


def test_a_lesson_names_the_same_things_in_looser_words() -> None:
    words, rng, looser = set(vocabulary()), random.Random(17), 0
    for scene in scenes(600, seed=10):
        text = caption(scene, rng, lesson=True)
        assert set(text.split()) <= words, text
        for group in scene.groups:
            assert set(text.split()) & {form for noun in SYNONYMS[group.shape] for form in (noun, plural_noun(noun))}, (
                text
            )
        if scene.style == "outline":
            assert "outline" in text or "line art" in text, text
        known = [lead.split("{}")[0] for lead in captions.LEADS.known if not lead.startswith("{}")]
        first = text.split()[0]
        looser += first in {"like", "to", "me", "see", "you", "would", "of", "with"} and not text.startswith(
            tuple(known)
        )
    assert looser > 20


def test_patterns_and_styles_are_said() -> None:
    rng = random.Random(8)
    for scene in scenes(400, seed=9):
        text = caption(scene, rng)
        if scene.pattern != "plain":
            assert set(text.split()) & set(captions.PATTERN_WORDS[scene.pattern]), text
        if scene.style == "outline":
            assert "outline" in text or "line art" in text, text
        if scene.style == "soft":
            assert "soft" in text, text


def test_region_captions_have_articles() -> None:
    assert thing_caption(Thing("boat", "orange", 0.5, 0.5, 0.3)) == "an orange boat"
    assert thing_caption(Thing("star", "orange", 0.5, 0.5, 0.3)) == "an orange star"
    assert thing_caption(Thing("house", "red", 0.5, 0.5, 0.3)) == "a red house"
