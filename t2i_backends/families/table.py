"""Every known family: ours, and those of other packages (entry points ``imagewright.families``). Imports no torch.

Whose file it is, is the answer of the first family that says so. Families of other packages are asked first: they know
what ours would take for their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from imagewright import registry
from imagewright.errors import BadInput
from imagewright.t2i_backends.families.base import Family


@cache
def known_families() -> Mapping[str, Family]:
    """Every family by name, in the order in which they are asked.

    Raises:
        BadInput: a family of another package cannot be loaded, or lacks a part.
    """
    found = (_make(kind) for kind in registry.load_all("families"))
    return {family.name: family for family in found}


def _make(kind: type[Family]) -> Family:
    said = f"the model family {kind.__module__}:{kind.__qualname__}"
    if not issubclass(kind, Family):
        raise BadInput(f"{said} is no Family", "repair or uninstall its package")
    missing = [name for name in Family.__annotations__ if not hasattr(kind, name)]
    missing += sorted(kind.__abstractmethods__)
    if missing:
        raise BadInput(f"{said} lacks {', '.join(missing)}", "repair or uninstall its package")
    return kind()


def find_family(name: str) -> Family | None:
    """The family called ``name``; None for one that this backend does not draw."""
    return known_families().get(name)


def list_titles() -> str:
    """What this backend draws, for people."""
    return ", ".join(family.title for family in known_families().values())


def find_by_pipeline(class_name: str) -> Family | None:
    """The family of a diffusers pipeline class."""
    return next((family for family in known_families().values() if class_name in family.pipelines), None)


def find_by_net(class_name: str, config: Mapping[str, object]) -> Family | None:
    """The family of a diffusion model by its class and config."""
    known = (family for family in known_families().values() if class_name == family.net_class)
    return next((family for family in known if family.fits(config)), None)


def find_by_control(class_name: str, config: Mapping[str, object]) -> Family | None:
    """The family of a ControlNet by its class and config."""
    known = (family for family in known_families().values() if class_name and class_name == family.control_class)
    return next((family for family in known if family.fits(config)), None)


def find_by_clip_type(kind: str) -> Family | None:
    """The family that the ``type`` of a text encoder loader means."""
    return next((family for family in known_families().values() if kind in family.clip_types), None)


def list_clip_types(loader: str) -> tuple[str, ...]:
    """The types that the text encoder loader of that node class takes here."""
    known = (family for family in known_families().values() if loader in family.clip_loaders)
    return tuple(kind for family in known for kind in sorted(family.clip_types))
