"""ComfyUI's prompt weights, and the tokenizers that ship."""

from __future__ import annotations

import pytest

from imagewright.t2i_backends.text.tokenizers import load_tokenizer
from imagewright.t2i_backends.text.weights import weigh_words


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a red cat", [("a red cat", 1.0)]),
        ("a (red) cat", [("a ", 1.0), ("red", 1.1), (" cat", 1.0)]),
        ("(red:1.3) cat", [("red", 1.3), (" cat", 1.0)]),
        ("((red))", [("red", 1.1 * 1.1)]),
        ("(a (red:0.5) cat)", [("a ", 1.1), ("red", 0.5), (" cat", 1.1)]),
        (r"a \(red\) cat", [("a (red) cat", 1.0)]),
        ("a (red cat", [("a (red cat", 1.0)]),
        ("a) red", [("a) red", 1.0)]),
        ("", [("", 1.0)]),
        ("()", [("", 1.0)]),
    ],
)
def test_weights(text: str, pieces: list[tuple[str, float]]) -> None:
    assert weigh_words(text) == [(piece, pytest.approx(weight)) for piece, weight in pieces]


def test_the_tokenizers_that_ship() -> None:
    """Ids that the original tokenizers of CLIP and T5 give."""
    assert load_tokenizer("clip")("a photo of an astronaut")["input_ids"] == [
        49406,
        320,
        1125,
        539,
        550,
        18376,
        49407,
    ]
    assert (load_tokenizer("clip").pad_token_id, load_tokenizer("clip", "!").pad_token_id) == (49407, 0)
    assert load_tokenizer("t5")("a photo of an astronaut")["input_ids"] == [3, 9, 1202, 13, 46, 30059, 1]
    assert (load_tokenizer("t5").pad_token_id, load_tokenizer("t5").model_max_length) == (0, 512)
