"""Open-vocabulary detectors on tiny random models that the test builds: boxes, colours, no download, no pickle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from imagewright.agents.open_critic import OpenCritic
from imagewright.agents.rules.layout import RulesLayoutPlanner
from imagewright.tools import open_detector
from imagewright.tools.open_detector import COLOURS, OpenDetector, find_detector


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model root with a tiny random OWLv2."""
    from transformers import CLIPTokenizer, Owlv2Config, Owlv2ForObjectDetection, Owlv2Processor
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

    torch.manual_seed(0)
    letters = [chr(c) for c in range(97, 123)]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={piece: n for n, piece in enumerate(pieces)}, merges=[], model_max_length=48)
    text = {"vocab_size": len(pieces), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 48, "bos_token_id": 52, "eos_token_id": 53,
            "pad_token_id": 53}  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 8}  # fmt: skip
    model = Owlv2ForObjectDetection(Owlv2Config(text_config=text, vision_config=vision, projection_dim=16))
    folder: Path = tmp_path_factory.mktemp("root") / "detectors" / "tiny"
    model.save_pretrained(folder)
    images = Owlv2ImageProcessorPil(size={"height": 32, "width": 32})
    Owlv2Processor(images, tokenizer).save_pretrained(folder)
    return folder.parents[1]


@pytest.fixture
def picture() -> Image.Image:
    """Something to look at."""
    image = Image.new("RGB", (96, 64), "white")
    image.paste("red", (10, 10, 40, 40))
    return image


def test_detections_lie_in_the_picture_and_have_words_and_colours_that_were_asked_for(
    root: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_detector.THRESHOLDS, "owlv2", 0.0)
    folder = find_detector((root / "nowhere", root))
    assert folder is not None
    detector = OpenDetector(folder, ("cup", "dog"))
    found = detector.detect(picture)
    assert found, "a random model that may say anything says something"
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert one.object in detector.labels
        assert set(one.attributes) <= set(COLOURS)
        assert 0 <= one.x < one.x + one.width <= 1 + 1e-9
        assert 0 <= one.y < one.y + one.height <= 1 + 1e-9


def test_nothing_is_seen_where_nothing_is_sure_enough(
    root: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_detector.THRESHOLDS, "owlv2", 1.0)
    planned = RulesLayoutPlanner().plan("a red cup left of a dog, no cats")
    made: list[tuple[str, ...]] = []

    def detector_for(words: tuple[str, ...]) -> OpenDetector:
        made.append(words)
        return OpenDetector(root / "detectors" / "tiny", words)

    critic = OpenCritic(detector_for)
    verdicts = [critic.judge(picture, "", planned.parsed, planned.layout, ()) for _ in range(2)]
    assert made == [("cup", "dog", "cat")], "it is made once for the words of a prompt"
    failed = {check.name for check in verdicts[0].checks if not check.passed}
    assert {"present", "count", "attribute", "relation"} <= failed
    assert all(check.passed for check in verdicts[0].checks if check.name == "absent")
    assert verdicts[0].repair is not None


def test_only_known_kinds_with_safe_weights_are_found(tmp_path: Path) -> None:
    for name, kind, weights in (("a", "bert", "model.safetensors"), ("b", "owlv2", "pytorch_model.bin")):
        folder = tmp_path / "detectors" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
        (folder / weights).touch()
    (tmp_path / "detectors" / "c").mkdir()
    (tmp_path / "detectors" / "c" / "config.json").write_text("[]")
    assert find_detector((tmp_path,)) is None
    assert find_detector(()) is None


def test_of_boxes_that_lie_on_one_another_the_surer_stays() -> None:
    near, far = (0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0)
    found = [("cup", 0.5, near), ("cup", 0.9, (1.0, 0.0, 10.0, 10.0)), ("dog", 0.4, near), ("cup", 0.3, far)]
    kept = open_detector._without_doubles(found)
    assert [(word, score) for word, score, _ in kept] == [("cup", 0.9), ("dog", 0.4), ("cup", 0.3)]
