"""Open-vocabulary detectors on tiny random models that the test builds: boxes, colours, no download, no pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from imagewright.agents.critic.open import OpenCritic
from imagewright.agents.critic.verdict import why_unchecked
from imagewright.agents.layout.rules import RulesLayoutPlanner
from imagewright.tools import open_detector
from imagewright.tools.open_detector import HUES, OpenDetector, find_detector, why_none


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


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model root with a tiny random Grounding DINO."""
    from transformers import BertTokenizer, GroundingDinoConfig, GroundingDinoForObjectDetection, GroundingDinoProcessor
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    torch.manual_seed(0)
    letters = [chr(c) for c in range(97, 123)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = BertTokenizer(vocab={piece: n for n, piece in enumerate(pieces)}, model_max_length=64)
    backbone = {"model_type": "swin", "image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1, 1],
                "num_heads": [1, 1, 1], "window_size": 2, "out_indices": [2, 3]}  # fmt: skip
    text = {"model_type": "bert", "vocab_size": len(pieces), "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 64}  # fmt: skip
    config = GroundingDinoConfig(
        backbone_config=backbone, text_config=text, d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=12, num_feature_levels=2,
        max_text_len=64,
    )  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("dino") / "detectors" / "tiny"
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
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
        assert set(one.attributes) <= set(HUES)
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


def test_grounding_dino_sees_its_words_and_tells_no_colours(
    dino: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_detector.THRESHOLDS, "grounding-dino", 0.0)
    folder = find_detector((dino,))
    assert folder is not None
    detector = OpenDetector(folder, ("cup", "fire hydrant", "dog"))
    assert detector.name == "grounding-dino:tiny"
    found = detector.detect(picture)
    assert len({one.object for one in found}) > 1, "twelve boxes of a random model are not all of one word"
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert one.object in detector.labels
        assert one.attributes == ()
        assert 0 < one.score <= 1
        assert 0 <= one.x < one.x + one.width <= 1 + 1e-9
        assert 0 <= one.y < one.y + one.height <= 1 + 1e-9


def test_a_box_of_grounding_dino_belongs_to_the_phrase_with_the_surest_token(dino: Path) -> None:
    processor = OpenDetector(dino / "detectors" / "tiny", ("x",))._loaded[0]
    text = "red cup. cup. dog."
    tokens = processor.tokenizer(text).input_ids
    words = [[processor.tokenizer.convert_ids_to_tokens(tokens[n]) for n in span]
             for span in open_detector._phrases(tokens, processor.tokenizer)]  # fmt: skip
    assert ["".join(word).replace("##", "") for word in words] == ["redcup", "cup", "dog"]


def test_words_that_would_end_a_phrase_early_do_not(dino: Path, picture: Image.Image) -> None:
    detector = OpenDetector(dino / "detectors" / "tiny", ("St. Bernard", "…", "A.B.C"))
    assert [detector._query(word) for word in detector.words] == ["st bernard", "?", "a b c"]
    detector.detect(picture)


def test_the_critic_judges_a_picture_with_grounding_dino(
    dino: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_detector.THRESHOLDS, "grounding-dino", 1.0)
    planned = RulesLayoutPlanner().plan("a red cup left of a dog, no cats")
    critic = OpenCritic(lambda words: OpenDetector(dino / "detectors" / "tiny", words))
    verdict = critic.judge(picture, "", planned.parsed, planned.layout, ())
    failed = {check.name for check in verdict.checks if not check.passed}
    assert failed == {"present", "count", "relation"}
    assert any("cannot tell whether a cup is red" in check.detail for check in verdict.checks)
    assert verdict.repair is not None


@pytest.mark.parametrize("damage", ["model.safetensors", "tokenizer.json", "preprocessor_config.json", "config.json"])
def test_files_that_are_missing_or_cut_short_leave_the_picture_unchecked_and_it_is_said(
    damage: str, dino: Path, root: Path, picture: Image.Image, tmp_path: Path
) -> None:
    planned = RulesLayoutPlanner().plan("a cup")
    for number, source in enumerate((dino, root)):
        folder = tmp_path / str(number)
        shutil.copytree(source / "detectors" / "tiny", folder)
        file = folder / damage
        if not file.exists():
            continue
        file.write_bytes(file.read_bytes()[:40]) if damage != "config.json" else file.write_text(
            '{"model_type": "owlv2", "vision_config": 3}'
        )
        verdict = OpenCritic(lambda words, folder=folder: OpenDetector(folder, words)).judge(
            picture, "a cup", planned.parsed, planned.layout, ()
        )
        told = why_unchecked(verdict)
        assert told.startswith(f"the detector in {folder} cannot be loaded: "), damage
        assert told.endswith(f"fetch its files again, or move {folder} away")
        assert "\n" not in told


def test_where_there_is_none_it_is_said_where_one_belongs(tmp_path: Path) -> None:
    assert str(tmp_path / "detectors") in why_none((tmp_path,))
    (tmp_path / "detectors" / "owl").mkdir(parents=True)
    (tmp_path / "detectors" / "owl" / "config.json").write_text('{"model_type": "owlv2"}')
    assert why_none((tmp_path,)).startswith(f"{tmp_path / 'detectors' / 'owl'} holds no detector that can be used")
    assert why_none(())


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
