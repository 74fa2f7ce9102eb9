"""Files of scores, read as a stream: the same scores as read whole, in batches, in memory that does not grow."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from imagewright.errors import BadInput
from imagewright.retrieval import evidence_stream
from imagewright.retrieval.evidence import EvidenceFile, PromptFacts, dump_evidence
from imagewright.retrieval.evidence_stream import import_scores, stream_scores
from imagewright.retrieval.index import FlowIndex
from imagewright.retrieval.score_matrix import dump_matrix, read_scores
from imagewright.schemas import Evidence, ParsedGroup, ParsedPrompt


def made(kit: ModuleType, flows: int = 3, prompts: int = 40, seeds: int = 2) -> EvidenceFile:
    rows = [kit.score(f"f{flow}", f"{prompt} stars", (flow + prompt + seed) % 9 / 10, seed=seed, graph_hash=f"{flow}")
            for flow in range(flows) for prompt in range(prompts) for seed in range(seeds)]  # fmt: skip
    facts = PromptFacts(ParsedPrompt(groups=(ParsedGroup(object="star", count=2),)), ("Counting",))
    return EvidenceFile(tuple(rows), {f"{prompt} stars": facts for prompt in range(prompts)})


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_stream, "SCORES", 7)
    monkeypatch.setattr(evidence_stream, "PROMPTS", 5)


def stored(index: FlowIndex) -> list[tuple[object, ...]]:
    with index.reading() as db:
        return [tuple(row) for row in db.execute("SELECT * FROM evidence ORDER BY flow, graph_hash, prompt, seed")]


@pytest.mark.parametrize("dump", [dump_evidence, dump_matrix])
def test_a_stream_brings_what_the_whole_file_holds(
    dump: object, kit: ModuleType, index: FlowIndex, tmp_path: Path, small_batches: None
) -> None:
    file = tmp_path / "scores.jsonl"
    file.write_text(dump(made(kit)))  # type: ignore[operator]
    whole = read_scores(file)
    assert import_scores(index, file) == (240, 40)
    assert len(stored(index)) == 240
    assert index.prompt_facts() == whole.prompts
    other = kit.index(tmp_path / "other")
    other.add_evidence(whole.rows, whole.prompts)
    assert stored(other) == stored(index)
    assert import_scores(index, file) == (240, 40)
    assert stored(other) == stored(index)


def test_batches_and_memory_are_bounded_whatever_the_size(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_stream, "SCORES", 500)
    peaks = []
    for many in (2_000, 20_000):
        file = tmp_path / f"{many}.jsonl"
        with file.open("w") as out:
            out.write(dump_evidence(EvidenceFile(())))
            line = kit.score("f", "p", 0.5, graph_hash="a" * 64).model_dump(exclude_none=True)
            out.writelines(json.dumps({**line, "prompt": f"p{n}"}) + "\n" for n in range(many))
        tracemalloc.start()
        sizes = [len(batch.rows) for batch in stream_scores(file)]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (sum(sizes), max(sizes)) == (many, 500)
    assert peaks[1] < 1.2 * peaks[0]


def test_one_line_of_very_many_scores_is_stored_in_parts(kit: ModuleType, tmp_path: Path, small_batches: None) -> None:
    file = tmp_path / "matrix.jsonl"
    file.write_text(dump_matrix(made(kit, flows=1, prompts=60, seeds=3)))
    assert max(len(batch.rows) for batch in stream_scores(file)) == 7


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("cut", r"line 70 of .* is not JSON; 28 scores before it are stored"),
        ("no score", r"line 70 of .* is not a score; 28 scores"),
        ("no flow", r"no flow is called 'nobody'; 28 scores"),
        ("header", "is neither a file of evidence nor a matrix"),
        ("empty", "is neither a file of evidence nor a matrix"),
        ("gone", "cannot read"),
        ("bytes", r"line 70 of .* is not UTF-8 text"),
    ],
)
def test_what_is_wrong_is_named_and_what_was_stored_stays(
    harm: str, says: str, kit: ModuleType, index: FlowIndex, tmp_path: Path, small_batches: None
) -> None:
    file = tmp_path / "scores.jsonl"
    lines = dump_evidence(made(kit)).splitlines()
    wrong = {"cut": lines[69][:40], "no score": '{"flow": "f0"}', "no flow": json.dumps({
        **json.loads(lines[69]), "flow": "nobody", "graph_hash": ""})}  # fmt: skip
    whole = {"header": "{}", "empty": ""}
    lines[69] = wrong.get(harm, lines[69])
    file.write_text(whole.get(harm, "\n".join(lines)))
    if harm == "bytes":
        file.write_bytes("\n".join(lines[:69]).encode() + b"\n\xff\xfe\n")
    if harm == "gone":
        file.unlink()
    with pytest.raises(BadInput, match=says) as caught:
        import_scores(index, file)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert len(stored(index)) == (28 if "line" in says or harm == "no flow" else 0)
    file.write_text(dump_evidence(made(kit)))
    import_scores(index, file)
    assert len(stored(index)) == 240


def test_an_import_that_stops_anywhere_is_finished_by_the_next(
    kit: ModuleType, index: FlowIndex, tmp_path: Path, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "scores.jsonl"
    file.write_text(dump_evidence(made(kit)))
    whole = evidence_stream.stream_scores

    def stopped(path: Path) -> Iterator[EvidenceFile]:
        for number, batch in enumerate(whole(path)):
            if number == 20:
                raise KeyboardInterrupt
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(evidence_stream, "stream_scores", stopped)
        with pytest.raises(KeyboardInterrupt):
            import_scores(index, file)
    assert 0 < len(stored(index)) < 240
    import_scores(index, file)
    assert len(stored(index)) == 240


def test_imported_scores_decide_at_once(kit: ModuleType, index: FlowIndex, tmp_path: Path) -> None:
    graph = index.add(kit.flow("a"))
    rows: list[Evidence] = [kit.score("a", f"{n} stars", 0.9) for n in range(5)]
    file = tmp_path / "scores.jsonl"
    file.write_text(dump_evidence(EvidenceFile(tuple(rows))))
    import_scores(index, file)
    assert [row.flow for row in index.evidence_for(graph.id)] == ["a"] * 5
