"""The training set: shards that are the same whenever they are made, and batches by curriculum or by number."""

import random

import pytest
import torch

from imagewright.t2i_backends.mini import sizes
from imagewright.t2i_backends.mini.training.scenes import FREE, Scenes, scene_maps
from imagewright.t2i_backends.mini.training.train_autoencoder import build_autoencoder
from imagewright.t2i_backends.mini.world import COLOURS, SHAPES, Scene, Thing

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    found = Scenes(build_autoencoder(), tmp_path_factory.mktemp("work"), 1, 40, CPU)
    found.grow(2)
    return found


def test_shards_are_kept_and_the_same_again(data: Scenes) -> None:
    again = Scenes(build_autoencoder(), data.work, 1, 40, CPU)
    again.grow(2)
    assert again.scenes == data.scenes
    assert torch.equal(again.latents([3, 45]), data.latents([3, 45]))
    assert data.latents([3, 45]).shape == (2, sizes.GRID**2, 4 * sizes.LATENT_CHANNELS)
    assert len(list(data.work.glob("latents-*.pt"))) == 2


def test_latents_of_other_scenes_are_made_anew(data: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Scenes(build_autoencoder(), data.work, 1, 40, CPU)
    with monkeypatch.context() as patch:
        patch.setattr("imagewright.t2i_backends.mini.training.scenes.arrange", lambda scene, rng: scene)
        other.grow(1)
    assert other.scenes != data.scenes[:40]
    assert not torch.equal(other.latents([3]), data.latents([3]))
    again = Scenes(build_autoencoder(), data.work, 1, 40, CPU)
    again.grow(1)
    assert again.scenes == data.scenes[:40]


def test_captions_are_learned_from_arranged_scenes_and_boxes_from_the_others(data: Scenes) -> None:
    by_caption = {i for kind in data.by_kind.values() for i in kind}
    assert by_caption == {i for i in range(80) if i % 40 % FREE}
    assert {i for number in data.by_count.values() for i in number} == set(range(80)) - by_caption


def test_the_curriculum_goes_from_single_things_to_all(data: Scenes) -> None:
    early = data.batch(random.Random(1), 200, 0.0, None)
    late = data.batch(random.Random(1), 200, 1.0, None)
    alone = [sum(len(data.scenes[i].things) == 1 for i in chosen) for chosen in (early, late)]
    assert alone[0] > 2 * alone[1]
    assert max(len(data.scenes[i].groups) for i in early) <= 2 < max(len(data.scenes[i].groups) for i in late)
    assert {len(data.scenes[i].things) for i in data.batch(random.Random(1), 20, 1.0, 2)} == {2}


def test_a_map_says_what_stands_where() -> None:
    things = (Thing("cup", "red", 0.25, 0.25, 0.5), Thing("boat", "blue", 0.94, 0.94, 0.1))
    (found,) = scene_maps([Scene((), None, None, "white", things, 0.5)])
    page = found.reshape(8, 8, -1)
    assert page[:4, :4, SHAPES.index("cup")].all()
    assert page[..., SHAPES.index("cup")].sum() == 16
    blue = len(SHAPES) + tuple(COLOURS).index("blue")
    assert page[7, 7, blue] == 1
    assert page[..., blue].sum() == 1
