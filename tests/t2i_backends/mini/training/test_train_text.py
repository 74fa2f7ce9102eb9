"""The lessons of the text encoders: the answers are what captions say, and teaching goes on where it stopped."""

from pathlib import Path

import torch

from imagewright.t2i_backends.mini.architecture import build_pipeline
from imagewright.t2i_backends.mini.training.train_autoencoder import build_autoencoder
from imagewright.t2i_backends.mini.training.train_text import Answers, teach
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Group, Scene

SCENE = Scene(
    (Group(2, "red", "cup"), Group(1, "gray", "boat"), Group(1, "blue", "fish")), "left", None, "pink", (), 0.5,
    "striped", "soft",
)  # fmt: skip


def test_the_answers_are_what_the_caption_says() -> None:
    found = Answers([SCENE, SCENE], ["… on a striped pink background", "…"])
    cup, boat, fish = (SHAPES.index(shape) for shape in ("cup", "boat", "fish"))
    assert found.counts[0, [cup, boat, fish]].tolist() == [2, 1, 1]
    assert found.counts[0].sum() == 4
    assert found.colours[0, boat].nonzero().flatten().tolist() == [tuple(COLOURS).index("gray")]
    assert found.scene[:, 0].tolist() == [tuple(COLOURS).index("pink") + 1, 0]
    assert found.scene[0, 1:].tolist() == [1, 2, 0]


def test_teaching_changes_the_encoders_and_is_kept(tmp_path: Path) -> None:
    first, second = (build_pipeline(build_autoencoder()) for _ in range(2))
    before = first.text_encoder_2.get_input_embeddings().weight.clone()
    teach(first, tmp_path, steps=2, batch=4, seed=1)
    assert not torch.equal(first.text_encoder_2.get_input_embeddings().weight, before)
    teach(second, tmp_path, steps=2, batch=4, seed=1)
    for part in ("text_encoder", "text_encoder_2"):
        for mine, theirs in zip(getattr(first, part).parameters(), getattr(second, part).parameters(), strict=True):
            assert torch.equal(mine, theirs)
