"""The nodes: the same inputs as ComfyUI's, each one small and explained, and what of real workflows they cover."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import pytest

from imagewright.t2i_backends.nodes.table import NODES

DATA = Path(os.environ.get("IMAGEWRIGHT_DATA", Path(__file__).parents[4] / "shared" / "data")) / "comfyui"
ASKED = (
    "CLIPLoader TripleCLIPLoader CLIPSetLastLayer LoraLoader ConditioningCombine ConditioningConcat "
    "ConditioningSetArea ConditioningSetAreaPercentage ConditioningSetMask ModelSamplingSD3 ModelSamplingFlux "
    "EmptyLatentImage KSamplerAdvanced KSamplerSelect BasicScheduler BasicGuider CFGGuider RandomNoise "
    "SamplerCustom SamplerCustomAdvanced VAEEncode VAEEncodeForInpaint SetLatentNoiseMask LatentUpscale "
    "LatentUpscaleBy ImageScale ImageScaleBy UpscaleModelLoader ImageUpscaleWithModel ControlNetLoader "
    "ControlNetApplyAdvanced LoadImage LoadImageMask PreviewImage CheckpointLoaderSimple UNETLoader "
    "DualCLIPLoader VAELoader LoraLoaderModelOnly CLIPTextEncode ConditioningZeroOut FluxGuidance "
    "EmptySD3LatentImage KSampler VAEDecode SaveImage InpaintModelConditioning "
    "RepeatLatentBatch LatentFromBatch LatentBatch ImageBatch RepeatImageBatch ImageFromBatch "
).split()
YOUNG = ("SaveImageAdvanced", "ComfyMathExpression", "ComfySwitchNode", "PreviewAny", "ResolutionSelector")
"""Nodes that changed, or came, after 0.8.0."""
ANY_KIND = ("COMFY_MATCHTYPE_V3", "COMFY_AUTOGROW_V3", "COMFY_DYNAMICCOMBO_V3", "*")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs the interface facts of ComfyUI")


def test_every_node_that_flows_need_is_here() -> None:
    assert set(ASKED) <= set(NODES)


@pytest.mark.parametrize("name", NODES)
def test_each_is_one_small_function(name: str) -> None:
    run = NODES[name].run
    assert run.__doc__
    assert len(inspect.getsource(run).splitlines()) <= 32
    wanted = [p for p in inspect.signature(run).parameters.values() if p.name != "run"]
    if all(p.kind is not p.VAR_KEYWORD for p in wanted):
        assert {p.name for p in wanted} == set(NODES[name].inputs)


@needs_data
@pytest.mark.parametrize("name", NODES)
def test_inputs_and_outputs_are_comfyuis(name: str) -> None:
    of = "0.33.0" if name in YOUNG else "0.8.0"
    known = json.loads((DATA / f"nodes-{of}.json").read_text()).get(name)
    assert known is not None, f"{name} is no node of ComfyUI"
    theirs: dict[str, Any] = {**known["input"].get("required", {}), **known["input"].get("optional", {})}
    ours = {key.partition(".")[0] for key in NODES[name].inputs}  # "format.bit_depth" is a part of "format"
    assert ours <= set(theirs)
    assert set(known["input"].get("required", {})) <= ours
    if name not in ("SaveImage", "PreviewImage"):
        assert list(NODES[name].outputs) == ["*" if kind in ANY_KIND else kind for kind in known["output"]]
    for key, wanted in NODES[name].inputs.items():
        kind = theirs[key.partition(".")[0]][0]
        if kind in ANY_KIND:
            continue
        if isinstance(kind, str) and kind.isupper() and kind not in ("COMBO",):
            assert wanted.kind in (
                kind,
                {"INT": "int", "FLOAT": "float", "STRING": "text", "BOOLEAN": "bool"}.get(kind),
                "expression" if (name, key) == ("ComfyMathExpression", "expression") else None,
            )
        options = kind if isinstance(kind, list) else (theirs[key][1:] or [{}])[0].get("options", [])
        if wanted.kind == "choice" and options:
            assert set(wanted.choices) <= set(options), key


def shares() -> dict[str, float]:
    """Of each of ComfyUI's own text-to-image templates, the share of its nodes that run here."""
    found = json.loads((DATA / "frontend-conversions.json").read_text())
    return {
        name: sum(node["class_type"] in NODES for node in graph.values()) / len(graph) for name, graph in found.items()
    }


@needs_data
def test_what_of_the_templates_is_covered() -> None:
    """The figures of docs/executor.md; what is missing belongs to families that are not drawn here."""
    found = shares()
    assert found["flux_schnell_full_text_to_image"] == 1
    assert found["sdxl_simple_example"] == 1
    assert sum(found.values()) / len(found) > 0.85
