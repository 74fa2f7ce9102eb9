"""How prompts are read, where ComfyUI and the stock pipelines differ: lengths, weights, textual inversions, chunks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imagewright.t2i_backends.models.model_files import ModelFiles, ModelPath
from imagewright.t2i_backends.text.clip import ClipEncoder
from imagewright.t2i_backends.text.encode import MOST_TOKENS, Encoders, encode_texts, texts_for
from imagewright.t2i_backends.text.inversions import find_inversion
from imagewright.t2i_backends.text.tokenizers import load_tokenizer
from imagewright.t2i_backends.text.tokens import Reader, pack_chunks
from imagewright.t2i_backends.text.words import list_inversions, read_pieces
from imagewright.t2i_backends.values.handles import ClipHandle, Conditioning
from imagewright.t2i_backends.values.rules import Rules, parse_rules

HANDLE = ClipHandle((ModelPath(Path("none"), None),))
STOCK, BEFORE = parse_rules("stock"), parse_rules("1")
Encode = Callable[..., Conditioning]


def _clip(tiny: ModuleType, kind: Any = None, width: int = 32) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return (kind or CLIPTextModel)(CLIPTextConfig(
        hidden_size=width, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4, vocab_size=49408,
        max_position_embeddings=77, projection_dim=32, eos_token_id=49407, pad_token_id=49407, bos_token_id=49406,
    )).eval()  # fmt: skip


@pytest.fixture(scope="session")
def encoders(tiny: ModuleType) -> dict[str, Encoders]:
    """Text encoders of random weights with the tokenizers of the published models."""
    from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel

    torch.manual_seed(0)
    t5 = T5EncoderModel(T5Config(vocab_size=32128, d_model=64, d_kv=8, d_ff=37, num_layers=2, num_heads=4)).eval()
    clip, big = load_tokenizer("clip"), load_tokenizer("clip", "!")
    projected = [_clip(tiny, CLIPTextModelWithProjection) for _ in range(2)]
    return {
        "flux": Encoders("flux", {"clip_l": (_clip(tiny), clip), "t5": (t5, load_tokenizer("t5"))}),
        "sd3": Encoders(
            "sd3", {"clip_l": (projected[0], clip), "clip_g": (projected[1], big), "t5": (t5, load_tokenizer("t5"))}
        ),
        "sd15": Encoders("sd15", {"clip_l": (_clip(tiny), clip)}),
    }


@pytest.fixture
def encode(encoders: dict[str, Encoders]) -> Encode:
    def run(family: str, text: Any, rules: Rules | None = None, **more: Any) -> Conditioning:
        texts = texts_for(text) if isinstance(text, str) else text
        return encode_texts(encoders[family], HANDLE, texts, rules, **more)

    return run


# --- lengths ---


@pytest.mark.parametrize(("family", "least", "stock", "before"), [("flux", 256, 512, 0), ("sd3", 77, 256, 77)])
def test_t5_is_padded_to_a_minimum_and_grows(encode: Encode, family: str, least: int, stock: int, before: int) -> None:
    """256 tokens for FLUX and 77 for SD3, beside the CLIPs' chunks; one more for every token past that."""
    many = " ".join(["red"] * 300)  # a token each
    assert encode(family, "a red circle").embeds.shape[1] - before == least
    long = encode(family, many)
    chunks = 77 * (-(-300 // 75)) if before else 0
    assert long.embeds.shape[1] - chunks == 301
    assert long.truncated == () or family == "flux"
    assert encode(family, "a red circle", STOCK).embeds.shape[1] - before == stock
    assert encode(family, "a red circle", BEFORE).embeds.shape[1] - before == stock


def test_what_t5_never_reads_is_told(encode: Encode) -> None:
    found = encode("flux", " ".join(["red"] * (MOST_TOKENS + 5)))
    assert found.embeds.shape[1] == MOST_TOKENS
    assert any(f"{MOST_TOKENS} of" in cut for cut in found.truncated)


def test_a_model_with_a_short_text_has_its_own_length(backend: Any, model_root: Path) -> None:
    """The small model and its like take fewer tokens than the minimum: every rule gives one length, one encoding."""
    found = backend.files.find("checkpoints", "tiny")
    clip = ClipHandle((found,))
    both = [encode_texts(backend.store.text(clip), clip, texts_for("a red circle"), rules) for rules in (None, BEFORE)]
    assert both[0].embeds.shape[1] == 12
    assert torch.equal(both[0].embeds, both[1].embeds)
    assert torch.equal(both[0].pooled, both[1].pooled)


# --- weights ---


@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_t5_words_are_weighed(encode: Encode, family: str) -> None:
    """``empty + weight * (state - empty)`` at the tokens of the weighed words, and nowhere else."""
    plain, heavy = (encode(family, text).embeds for text in ("a red circle", "a (red:1.5) circle"))
    empty = encode(family, "").embeds
    moved = (plain - heavy).abs().amax(dim=-1)[0] > 1e-6
    t5 = moved[77:] if family == "sd3" else moved
    first = int(t5.nonzero()[0])
    at = first + (77 if family == "sd3" else 0)
    assert int(t5.sum()) == 1
    assert torch.allclose(heavy[0, at], empty[0, at] + 1.5 * (plain[0, at] - empty[0, at]), atol=1e-5)
    literal = encode(family, "a (red:1.5) circle", STOCK).embeds
    assert literal.shape != heavy.shape


def test_a_weight_of_1_is_no_weight(encode: Encode) -> None:
    assert torch.equal(encode("flux", "(red:1.0)").embeds, encode("flux", "red").embeds)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a red cat", [("a red cat", 1.0)]),
        ("a (red) cat", [("a ", 1.0), ("red", 1.1), (" cat", 1.0)]),
        ("(a (red:0.5) cat)", [("a ", 1.1), ("red", 0.5), (" cat", 1.1)]),
        (r"a \(red\) cat", [("a (red) cat", 1.0)]),
        ("a (red (cat:1.3) dog", [("a ", 1.0), ("(red (cat:1.3) dog", 1.0)]),
        ("(:1.2)", [(":1.2", 1.1)]),
        ("(red:x)", [("red:x", 1.1)]),
        ("a) (red) cat", [("a) (red) cat", 1.0)]),
    ],
)
def test_brackets(text: str, pieces: list[tuple[str, float]]) -> None:
    """A bracket that never closes makes the rest plain text; one that was never opened keeps later ones plain."""
    found = [(piece.text, piece.weight) for piece in read_pieces(text)]
    assert found == [(words, pytest.approx(weight)) for words, weight in pieces]


# --- textual inversions ---


@pytest.fixture
def embeddings(tmp_path: Path) -> ModelFiles:
    folder = tmp_path / "embeddings"
    (folder / "more").mkdir(parents=True)
    made = torch.Generator().manual_seed(5)
    save_file({"emb_params": torch.randn(3, 32, generator=made)}, folder / "style.safetensors")
    save_file({"<cat>": torch.randn(32, generator=made)}, folder / "more" / "one.safetensors")
    both = {"clip_l": torch.randn(2, 32, generator=made), "clip_g": torch.randn(2, 32, generator=made)}
    save_file({**both, "t5xxl": torch.randn(2, 64, generator=made)}, folder / "many.safetensors")
    save_file({"emb_params": torch.randn(3, 48, generator=made)}, folder / "other.safetensors")
    (folder / "old.pt").write_bytes(b"\x80\x02")
    (folder / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0")
    return ModelFiles([tmp_path])


def inversions(files: ModelFiles, text: str) -> dict[str, Any]:
    return {name: find_inversion(files, name) for name in list_inversions(text)}


def test_an_inversion_puts_its_vectors_in_the_words_place(
    encoders: dict[str, Encoders], embeddings: ModelFiles
) -> None:
    """The token table gives the file's vectors, one token each, between the words around them."""
    text = "a red embedding:style, circle"
    model, tokenizer = encoders["sd15"].parts["clip_l"]
    reader = Reader(tokenizer, "clip_l", 32, inversions=inversions(embeddings, text))
    groups = reader.read(text)
    assert [len(group) for group in groups] == [2, 3, 2]
    seen: list[torch.Tensor] = []
    hook = model.get_input_embeddings().register_forward_hook(lambda m, i, out: seen.append(out))
    with torch.inference_mode():
        ClipEncoder(model, reader).encode(text)
    hook.remove()
    wanted = torch.stack([vector for vector, _ in groups[1]])  # type: ignore[misc]
    assert reader.remarks == []
    plain = model.get_input_embeddings()(torch.tensor(tokenizer("a red, circle")["input_ids"]))
    assert torch.equal(seen[0][0, :3], plain[:3])
    found = ClipEncoder(model, reader).encode(text).final
    assert not torch.allclose(found, ClipEncoder(model, Reader(tokenizer, "clip_l", 32)).encode("a red, circle").final)
    assert wanted.shape == (3, 32)


def test_vectors_are_what_the_encoder_reads(encoders: dict[str, Encoders]) -> None:
    """A word's own vector in the word's place gives the word's states."""
    model, tokenizer = encoders["sd15"].parts["clip_l"]
    word = tokenizer("circle")["input_ids"][1]
    vector = model.get_input_embeddings().weight[word].detach()

    class Own:
        after = ""

        def read(self, role: str, width: int) -> tuple[torch.Tensor, str]:
            return vector[None], ""

    reader = Reader(tokenizer, "clip_l", 32, inversions={"x": Own()})  # type: ignore[dict-item]
    found = ClipEncoder(model, reader).encode("a red embedding:x")
    assert torch.allclose(found.final, ClipEncoder(model, reader).encode("a red circle").final, atol=1e-6)


@pytest.mark.parametrize("name", ["style", "style.safetensors", "one", "many", "style,"])
def test_an_inversion_is_found(encode: Encode, embeddings: ModelFiles, name: str) -> None:
    text = f"a red embedding:{name} circle"
    found = encode("sd15", text, inversions=inversions(embeddings, text))
    assert found.remarks == ()
    assert not torch.allclose(found.embeds, encode("sd15", "a red circle").embeds)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone", "is not here (put it at"), ("other", "clip_l reads 32, it has 48"), ("old", "is a pickle"),
        ("cut", "is no safetensors file"), ("../style", "leaves the models folder"),
    ],
)  # fmt: skip
def test_an_inversion_that_cannot_be_used_is_left_out_with_a_word(
    encode: Encode, embeddings: ModelFiles, name: str, said: str
) -> None:
    text = f"a red embedding:{name} circle"
    found = encode("sd15", text, inversions=inversions(embeddings, text))
    assert len(found.remarks) == 1
    assert said in found.remarks[0]
    assert "left out" in found.remarks[0]
    assert torch.allclose(found.embeds, encode("sd15", "a red circle").embeds, atol=1e-6)


def test_each_encoder_reads_its_own_vectors(embeddings: ModelFiles) -> None:
    many = find_inversion(embeddings, "many")
    shapes = [many.read(role, width)[0].shape for role, width in (("clip_l", 32), ("clip_g", 32), ("t5", 64))]  # type: ignore[union-attr]
    assert shapes == [(2, 32), (2, 32), (2, 64)]
    assert not torch.equal(many.read("clip_l", 32)[0], many.read("clip_g", 32)[0])  # type: ignore[arg-type]


def test_a_job_finds_its_inversions_and_names_them(tmp_path: Path, tiny: ModuleType, studio_at: Any) -> None:
    tiny.sd15().save_pretrained(tmp_path / "checkpoints" / "sd15")
    (tmp_path / "embeddings").mkdir()
    save_file({"emb_params": torch.ones(2, 32)}, tmp_path / "embeddings" / "style.safetensors")
    studio = studio_at(tmp_path)
    graph = studio.graph_of("sd15")
    plain, drawn = studio.draw(graph), studio.draw(graph, prompt="a red circle embedding:style")
    assert drawn.image.tobytes() != plain.image.tobytes()
    assert "model style" in drawn.facts
    gone = studio.draw(graph, prompt="a red circle embedding:gone")
    assert "gone" in gone.facts["fallbacks"]
    assert gone.image.tobytes() == plain.image.tobytes()
    before = studio.draw(graph, prompt="a red circle embedding:style", rules="1")
    assert "model style" not in before.facts
    assert before.facts["rules"] == "1"


# --- chunks ---


def test_a_short_group_begins_the_next_chunk() -> None:
    """Fewer than 8 tokens are not broken, 8 are; what does not fit begins the next chunk."""

    def group(count: int, weight: float = 1.0) -> list[tuple[int, float]]:
        return [(1, weight)] * count

    assert [len(chunk) for chunk in pack_chunks([group(70), group(7, 1.2)], 75)] == [70, 7]
    assert [len(chunk) for chunk in pack_chunks([group(70), group(8, 1.2)], 75)] == [75, 3]
    assert [len(chunk) for chunk in pack_chunks([group(160)], 75)] == [75, 75, 10]
    assert [len(chunk) for chunk in pack_chunks([group(75), group(0)], 75)] == [75]
    assert [len(chunk) for chunk in pack_chunks([group(7)], 5)] == [5, 2]


def test_sd3s_clips_read_in_chunks(encode: Encode) -> None:
    """100 words are two chunks of 77 before T5's tokens; in the stock pipeline one, and what is cut is told."""
    text = " ".join(["red"] * 100)
    found = encode("sd3", text)
    assert found.embeds.shape[1] == 2 * 77 + 101
    assert found.truncated == ()
    stock = encode("sd3", text, STOCK)
    assert stock.embeds.shape[1] == 77 + 256
    assert stock.truncated


def test_an_empty_text_of_sd3_is_no_text(encode: Encode) -> None:
    """No T5 text is its end token alone; neither CLIP's text leaves T5 alone with vectors of 0."""
    words = {"clip_l": "red", "clip_g": "red", "t5": None}
    assert encode("sd3", words).embeds.shape[1] == 77 + 1
    alone = encode("sd3", {"clip_l": None, "clip_g": None, "t5": "red"})
    assert alone.embeds.shape[1] == 77
    assert alone.pooled is not None
    assert not alone.pooled.any()
    one = encode("sd3", {"clip_l": None, "clip_g": "red", "t5": "red"})
    assert torch.equal(one.embeds, encode("sd3", {"clip_l": "", "clip_g": "red", "t5": "red"}).embeds)


def test_sd3_without_t5_has_no_t5_tokens(encoders: dict[str, Encoders]) -> None:
    some = encoders["sd3"]
    bare = Encoders("sd3", {role: part for role, part in some.parts.items() if role != "t5"}, t5_width=64)
    assert encode_texts(bare, HANDLE, texts_for("red")).embeds.shape[1] == 77
    assert encode_texts(bare, HANDLE, texts_for("red"), STOCK).embeds.shape[1] == 77 + 256


def test_sd3_takes_clip_ls_vector_of_a_lone_file_before_its_projection(encoders: dict[str, Encoders]) -> None:
    from dataclasses import replace

    some = encoders["sd3"]
    lone = replace(some, lone=frozenset({"clip_l", "clip_g"}))
    folder, file = (encode_texts(each, HANDLE, texts_for("red")).pooled for each in (some, lone))
    assert folder is not None
    assert file is not None
    with torch.inference_mode():
        projected = some.parts["clip_l"][0].text_projection(file[:, :32])
    assert torch.allclose(projected, folder[:, :32], atol=1e-5)
    assert torch.equal(file[:, 32:], folder[:, 32:])
