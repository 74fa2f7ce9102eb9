"""Nodes for ControlNets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imagewright.t2i_backends.nodes.registry import node_class
from imagewright.t2i_backends.values.handles import Conditionings, Control, ControlHandle, Images, VaeHandle
from imagewright.t2i_backends.values.node_inputs import choice, link, model_file, optional, real

if TYPE_CHECKING:
    from imagewright.t2i_backends.nodes.runtime import Runtime

UNION_MODES = {"openpose": 4, "depth": 2, "canny/lineart/anime_lineart/mlsd": 0, "tile": 1}
"""The numbers of FLUX's union ControlNets by InstantX and Shakker-Labs."""
_STRENGTH = real(0, 10, default=1.0)
_CONDITIONING = link("CONDITIONING")


@node_class("ControlNetLoader", {"control_net_name": model_file("controlnet")}, ("CONTROL_NET",), loads=True)
def control_net_loader(run: Runtime, control_net_name: str) -> tuple[ControlHandle]:
    """A ControlNet."""
    return (ControlHandle(run.find("controlnet", control_net_name)),)


@node_class(
    "SetUnionControlNetType",
    {"control_net": link("CONTROL_NET"), "type": choice(*UNION_MODES)},
    ("CONTROL_NET",),
    loads=True,
)
def set_union_type(run: Runtime, control_net: ControlHandle, type: str) -> tuple[ControlHandle]:
    """What a union ControlNet is to read the picture as."""
    return (replace(control_net, mode=UNION_MODES[type]),)


@node_class(
    "ControlNetApplyAdvanced",
    {
        "positive": _CONDITIONING, "negative": _CONDITIONING, "control_net": link("CONTROL_NET"),
        "image": link("IMAGE"), "strength": _STRENGTH, "start_percent": real(0, 1, default=0.0),
        "end_percent": real(0, 1, default=1.0), "vae": optional("VAE"),
    },
    ("CONDITIONING", "CONDITIONING"),
)  # fmt: skip
def apply_advanced(
    run: Runtime, positive: Conditionings, negative: Conditionings, control_net: ControlHandle, image: Images,
    strength: float, start_percent: float, end_percent: float, vae: VaeHandle | None,
) -> tuple[Conditionings, Conditionings]:  # fmt: skip
    """A ControlNet on both sides of the guidance, from and to a share of the way from noise to picture."""
    control = Control(control_net, image, strength, start_percent, end_percent, vae)
    return _with(positive, control), _with(negative, control)


@node_class(
    "ControlNetApply",
    {
        "conditioning": _CONDITIONING, "control_net": link("CONTROL_NET"), "image": link("IMAGE"),
        "strength": _STRENGTH,
    },
    ("CONDITIONING",),
)  # fmt: skip
def apply(
    run: Runtime, conditioning: Conditionings, control_net: ControlHandle, image: Images, strength: float
) -> tuple[Conditionings]:
    """A ControlNet on one conditioning, all the way."""
    return (_with(conditioning, Control(control_net, image, strength, 0.0, 1.0)),)


def _with(found: Conditionings, control: Control) -> Conditionings:
    return tuple(replace(one, controls=(*one.controls, control)) for one in found)
