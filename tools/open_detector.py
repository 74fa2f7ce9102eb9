"""Open-vocabulary detectors through transformers: OWLv2 (Minderer et al. 2023) and Grounding DINO (Liu et al. 2023).

Only weights that are there already are used: a folder in the format of ``save_pretrained`` under a model root's
``detectors``. Nothing is downloaded. What is looked for are the words of the prompt, so a detector is made for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from imagewright import untrusted
from imagewright.errors import BadInput, Fault
from imagewright.geometry import iou_of_edges
from imagewright.ports import Picture
from imagewright.schemas import Detection

HUES = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray")
THRESHOLDS = {"owlv2": 0.2, "owlvit": 0.15, "grounding-dino": 0.3}
"""The least score of a detection, by kind of model: what their authors use, somewhat raised for OWLv2's many boxes."""
_OVERLAP = 0.5
"""Of two detections of one word whose intersection over union is larger, the surer one stays."""


_NO_PHRASE = re.compile(r"[^\w' -]+")
"""What would end a phrase early, or be a token of its own."""
_Named = tuple[str, float, tuple[float, float, float, float]]
_Found = tuple[int, float, tuple[float, float, float, float]]


@dataclass
class OpenDetector:
    """Finds ``words`` (singular nouns) with the model in ``folder``; loads it with the first picture."""

    folder: Path
    words: tuple[str, ...]
    device: str = "cpu"
    labels: frozenset[str] = field(init=False)
    """The objects that it was made to look for."""
    colours: frozenset[str] = field(init=False)
    """The colours that it tells apart: OWL compares a box with a query for each; Grounding DINO cannot."""
    sure: float = field(init=False, default=0.0)
    """Its scores say how well a word fits, not how whole a thing is."""

    def __post_init__(self) -> None:
        self.labels = frozenset(self.words)
        self.colours = frozenset(HUES) if self.kind.startswith("owl") else frozenset()

    @property
    def name(self) -> str:
        """What a trace calls it."""
        return f"{self.kind}:{self.folder.name}"

    @cached_property
    def kind(self) -> str:
        """``owlv2``, ``owlvit`` or ``grounding-dino``."""
        return str(untrusted.load_object(self.folder / "config.json")["model_type"])

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Processor and model.

        Raises:
            Fault: a file is missing, cut short, or of another kind of model.
        """
        from huggingface_hub.errors import StrictDataclassError
        from safetensors import SafetensorError

        # What transformers raises over files that it cannot use has no type of its own.
        wrong = (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError)
        try:
            return self._load()
        except (*wrong, SafetensorError, StrictDataclassError) as error:
            told = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            remedy = f"fetch its files again, or move {self.folder} away"
            raise Fault(f"the detector in {self.folder} cannot be loaded: {told}", remedy) from error

    def _load(self) -> tuple[Any, Any]:
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        options = {"local_files_only": True, "trust_remote_code": False}
        processor = AutoProcessor.from_pretrained(self.folder, **options)
        model = AutoModelForZeroShotObjectDetection.from_pretrained(self.folder, use_safetensors=True, **options)
        return processor, model.to(self.device).eval()

    def detect(self, image: Picture) -> tuple[Detection, ...]:
        """What it sees of its words in ``image``, surest first; boxes as fractions."""
        if not self.words:
            return ()
        picture = image.convert("RGB")
        found = self._boxes(picture, [self._query(word) for word in self.words], THRESHOLDS[self.kind])
        kept = _without_doubles([(self.words[label], score, box) for label, score, box in found])
        return tuple(self._detection(picture, *one) for one in kept)

    def _query(self, word: str) -> str:
        """As the model wants to be asked: OWL by a caption, Grounding DINO by the noun in small letters."""
        if self.kind.startswith("owl"):
            return f"a photo of a {word}"
        return " ".join(_NO_PHRASE.sub(" ", word.lower()).split()) or "?"

    def _boxes(self, picture: Picture, queries: Sequence[str], threshold: float) -> list[_Found]:
        """Query number, score and ``(left, top, right, bottom)`` in pixels of every box above ``threshold``."""
        if self.kind == "grounding-dino":
            return self._grounded(picture, queries, threshold)
        import torch

        processor, model = self._loaded
        inputs = processor(
            text=[list(queries)], images=picture, return_tensors="pt", padding="max_length", truncation=True
        ).to(self.device)
        with torch.inference_mode():
            outputs = model(**inputs)
        sizes = [(picture.height, picture.width)]
        found = processor.post_process_grounded_object_detection(outputs, threshold=threshold, target_sizes=sizes)[0]
        rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True)
        return [(int(label), score, tuple(box)) for label, score, box in rows]

    def _grounded(self, picture: Picture, queries: Sequence[str], threshold: float) -> list[_Found]:
        """As Grounding DINO reads it: one text, whose phrases end in full stops.

        A box belongs to the phrase whose surest token is the surest of all. The library's own reading gives back words
        of the text, which cannot be told apart where two phrases share one.
        """
        import torch

        processor, model = self._loaded
        inputs = processor(text=" ".join(f"{query}." for query in queries), images=picture, return_tensors="pt")
        inputs = inputs.to(self.device)
        with torch.inference_mode():
            outputs = model(**inputs)
        spans = _phrases(inputs["input_ids"][0].tolist(), processor.tokenizer)[: len(queries)]
        if not spans:
            return []
        tokens = outputs.logits[0].sigmoid()
        scores, labels = torch.stack([tokens[:, span].amax(dim=1) for span in spans]).max(dim=0)
        width, height = picture.size
        found: list[_Found] = []
        boxes = outputs.pred_boxes[0].tolist()
        for label, score, (x, y, w, h) in zip(labels.tolist(), scores.tolist(), boxes, strict=True):
            if score > threshold:
                box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
                found.append((label, score, box))
        return found

    def _detection(
        self, picture: Picture, word: str, score: float, box: tuple[float, float, float, float]
    ) -> Detection:
        left, top, right, bottom = _inside(box, picture)
        colour = self._colour(picture.crop((left, top, right, bottom)), word) if self.colours else ""
        return Detection(
            object=word, attributes=(colour,) if colour else (), score=score,
            x=left / picture.width, y=top / picture.height,
            width=(right - left) / picture.width, height=(bottom - top) / picture.height,
        )  # fmt: skip

    def _colour(self, part: Picture, word: str) -> str:
        """The colour whose query fits the part best; empty where none does."""
        found = self._boxes(part, [f"a photo of a {colour} {word}" for colour in HUES], 0.0)
        return HUES[max(found, key=lambda one: one[1])[0]] if found else ""


def _phrases(tokens: Sequence[int], tokenizer: Any) -> list[list[int]]:
    """For each phrase of a text that ends in a full stop the places of its tokens."""
    stop, special = tokenizer.convert_tokens_to_ids("."), set(tokenizer.all_special_ids)
    spans: list[list[int]] = [[]]
    for place, token in enumerate(tokens):
        if token == stop:
            spans.append([])
        elif token not in special:
            spans[-1].append(place)
    return [span for span in spans if span]


def _inside(box: tuple[float, float, float, float], picture: Picture) -> tuple[int, int, int, int]:
    """``box`` in whole pixels of the picture, at least one on a side."""
    left, top = min(max(0, int(box[0])), picture.width - 1), min(max(0, int(box[1])), picture.height - 1)
    right, bottom = min(picture.width, round(box[2])), min(picture.height, round(box[3]))
    return left, top, max(left + 1, right), max(top + 1, bottom)


def _without_doubles(found: Iterable[_Named]) -> list[_Named]:
    """Surest first, without the boxes of a word that lie on a surer one of it."""
    kept: list[_Named] = []
    for one in sorted(found, key=lambda item: -item[1]):
        if all(one[0] != other[0] or iou_of_edges(one[2], other[2]) <= _OVERLAP for other in kept):
            kept.append(one)
    return kept


def find_detector(roots: Iterable[Path]) -> Path | None:
    """The first folder under a root's ``detectors`` that holds a detector of a known kind with safe weights."""
    for root in roots:
        for folder in sorted((root / "detectors").glob("*")):
            if _is_detector(folder):
                return folder
    return None


def why_none(roots: Iterable[Path]) -> str:
    """What stands in the way of a detector, and where one belongs."""
    roots = list(roots)
    for folder in (folder for root in roots for folder in sorted((root / "detectors").glob("*")) if folder.is_dir()):
        what = "model.safetensors" if (folder / "config.json").is_file() else "config.json"
        kinds = ", ".join(THRESHOLDS)
        return f"{folder} holds no detector that can be used (it needs a config.json of {kinds}, and {what})"
    where = roots[0] / "detectors" if roots else "a model root's detectors"
    return f"OWLv2 or Grounding DINO, saved by transformers, would belong into {where}"


def _is_detector(folder: Path) -> bool:
    try:
        kind = untrusted.load_object(folder / "config.json").get("model_type")
    except BadInput:
        return False
    return kind in THRESHOLDS and any(folder.glob("*.safetensors"))
