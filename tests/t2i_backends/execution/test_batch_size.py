"""The pixels that a graph draws at once, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagewright.schemas import Flow
from imagewright.t2i_backends.diffusers_local import DiffusersBackend
from imagewright.t2i_backends.execution import readiness
from imagewright.t2i_backends.execution.batch_size import most_pixels
from imagewright.t2i_backends.execution.program import compile_flow
from imagewright.t2i_backends.models.memory import WORK, Footprint, Room, choose, refusal

MakeFlow = Callable[..., Flow]
GB = 1_000_000_000


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def test_every_node_that_changes_a_batch_counts(make_flow: MakeFlow) -> None:
    flow = make_flow(size_batch_size=3)
    graph = flow.graph
    assert most_pixels(compile_flow(flow)) == 3 * 16 * 16
    graph["four"] = node("RepeatLatentBatch", samples=["size", 0], amount=4)
    graph["ks"]["inputs"]["latent_image"] = ["four", 0]
    assert most_pixels(compile_flow(flow)) == 12 * 16 * 16
    graph["five"] = node("LatentFromBatch", samples=["four", 0], batch_index=1, length=5)
    graph["joined"] = node("LatentBatch", samples1=["five", 0], samples2=["size", 0])
    graph["up"] = node("LatentUpscaleBy", samples=["joined", 0], upscale_method="bilinear", scale_by=2.0)
    graph["ks"]["inputs"]["latent_image"] = ["up", 0]
    assert most_pixels(compile_flow(flow)) == (5 + 3) * 32 * 32


def test_what_is_not_known_counts_as_one_picture_of_a_megapixel(make_flow: MakeFlow) -> None:
    flow = make_flow()
    graph = flow.graph
    graph["size"] = node("VAEEncode", pixels=["load", 0], vae=["ckpt", 2])
    graph["load"] = node("LoadImage", image="x.png")
    assert most_pixels(compile_flow(flow)) == 1024 * 1024
    graph["out"]["inputs"]["images"] = ["load", 0]
    assert most_pixels(compile_flow(flow)) == 0


def test_a_large_batch_needs_more_than_its_weights(
    backend: DiffusersBackend, make_flow: MakeFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = Footprint(net=5 * GB, pixels=8 * 1024 * 1024)
    assert needs.work == 8 * WORK
    assert choose(Footprint(net=5 * GB), Room(8 * GB, 64 * GB, shared=False)) == "none"
    assert choose(needs, Room(8 * GB, 64 * GB, shared=False)) is None
    assert "8.4 megapixels at once" in refusal(needs, Room(8 * GB, 64 * GB, shared=False))
    assert "fewer or smaller pictures" in refusal(needs, Room(8 * GB, 64 * GB, shared=False))
    assert choose(needs, Room(8 * GB)) is None
    monkeypatch.setattr(readiness, "free_memory", lambda device: 2 * GB)
    many = make_flow(size_batch_size=8, size_width=1024, size_height=1024)
    found = backend.check(many).problems
    assert [problem.kind for problem in found] == ["memory"]
    assert "megapixels at once" in found[0].remedy
    assert backend.check(make_flow(size_width=1024, size_height=1024)).runnable
