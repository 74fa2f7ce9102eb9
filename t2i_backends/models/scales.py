"""Weights that are stored small: 8-bit floats with a scale beside them are read, other kinds are refused by name.

A scale is spelled ``….scale_weight`` (ComfyUI's scaled fp8) or ``….weight_scale`` (its newer files and others'). Scales
of activations (``scale_input``, ``input_scale``) serve 8-bit multiplication alone and play no part here. Loads nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from imagewright.t2i_backends.families.base import Shapes

_SPELLINGS = (".scale_weight", ".weight_scale")
_BESIDE = (*_SPELLINGS, ".scale_input", ".input_scale", ".comfy_quant")
_MARK = "scaled_fp8"
_PACKED = (".qweight", ".qzeros", ".absmax", ".SCB", ".weight_scale_2", ".weight_scale_inv", ".quant_map")
"""How the names of weights end that GPTQ, bitsandbytes, NVFP4 and their like pack."""
_WHOLE = frozenset({"I8", "U8", "I16", "U16", "I32", "U32"})
_REMEDY = "use its fp16, bf16 or fp8 version"


def find_scales(names: Collection[str]) -> dict[str, str]:
    """Name of each scaled weight → name of its scale."""
    known = set(names)
    pairs = ((f"{name.removesuffix(ending)}.weight", name) for name in names for ending in _SPELLINGS
             if name.endswith(ending))  # fmt: skip
    return {weight: scale for weight, scale in pairs if weight in known}


def is_beside(name: str, names: Collection[str]) -> bool:
    """Whether a tensor says something of a weight among ``names`` and is none itself."""
    if name == _MARK:
        return True
    ending = next((ending for ending in _BESIDE if name.endswith(ending)), "")
    return bool(ending) and f"{name.removesuffix(ending)}.weight" in names


def find_packing(shapes: Shapes, formats: Mapping[str, str]) -> str:
    """Why weights with these shapes and number formats cannot be read; empty when they can. Names as they are read."""
    for name, shape in shapes.items():
        if name.endswith(_PACKED) or "quant_state" in name:
            return f"is quantised ({name[-60:]}), which is not read here: {_REMEDY}"
        if name.endswith("weight") and len(shape) > 1 and formats.get(name) in _WHOLE:
            return f"holds weights as whole numbers ({formats[name]}), which are not read here: {_REMEDY}"
        if name.endswith(_SPELLINGS) and (said := _odd_scale(name, shapes, formats)):
            return said
    return ""


def _odd_scale(name: str, shapes: Shapes, formats: Mapping[str, str]) -> str:
    weight = next(f"{name.removesuffix(ending)}.weight" for ending in _SPELLINGS if name.endswith(ending))
    if weight not in shapes:
        return f"holds {name[-60:]}, the scale of a weight that it lacks: use the whole file"
    count, rows = math.prod(shapes[name]), shapes[weight][0] if shapes[weight] else 1
    plain = count == 1 or (count == rows and max(shapes[name]) == rows)
    if not plain or not formats.get(name, "F").startswith(("F", "BF")):
        return f"scales its weights by blocks ({name[-60:]}), which is not read here: {_REMEDY}"
    return ""
