"""What a model holds beside the weights that are read of it, so that nothing is left out in silence. Loads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from imagewright.t2i_backends.families.base import NET_PREFIX
from imagewright.t2i_backends.models.folders import find_weights
from imagewright.t2i_backends.models.header_file import read_header
from imagewright.t2i_backends.models.headers import plain_names
from imagewright.t2i_backends.models.model_faults import list_folders
from imagewright.t2i_backends.models.model_files import ModelPath
from imagewright.t2i_backends.models.scales import is_beside
from imagewright.t2i_backends.models.wholeness import GROUPS, list_read, rename_old

_JUDGED = ("checkpoints", "diffusion_models", "text_encoders", "vae", "controlnet")
_HARMLESS = re.compile(
    r"^(model_ema\.|denoiser\.|(alphas_cumprod|betas|logvar|lvlb_weights|posterior_|log_one_minus|sqrt_)|global_step$"
    r"|v_pred$|ztsnr$)|(^|\.)(loss\.|position_ids$|logit_scale$|text_projection(\.weight)?$|num_batches_tracked$)"
)
"""What training leaves in files and no drawing reads, here or elsewhere."""
_ORDER = (NET_PREFIX, "control_model.", *(prefix for group in GROUPS for prefix in group if prefix), "")
"""What may stand before a weight's name; where a part is there twice, the first of these is read."""


def describe_spare(kind: str, model: ModelPath) -> str:
    """That a model holds weights that are not read, in one line; empty where it holds none, or where its parts are not
    known well enough to tell."""
    names = list_spare(kind, model)
    more = " and others" if len(names) > 1 else ""
    count = f"{len(names)} weights" if len(names) > 1 else "a weight"
    return f"{model.path.name} holds {count} that nothing here reads ({names[0][-80:]}{more})" if names else ""


def list_spare(kind: str, model: ModelPath) -> tuple[str, ...]:
    """The weights of a model that are not read, by the names that they are read by elsewhere; training's own apart."""
    return _list_spare(kind, model, model.stamp) if kind in _JUDGED else ()


@lru_cache(maxsize=64)
def _list_spare(kind: str, model: ModelPath, stamp: str) -> tuple[str, ...]:
    known = list_read(model, kind)
    if not known:
        return ()
    places = {name: _find_place(name, known) for name in _names(kind, model)}
    taken: dict[str, list[str]] = {}
    spare = [name for name, place in places.items() if place is None]
    for name, place in sorted(places.items(), key=lambda each: _ORDER.index(each[1][0]) if each[1] else 0):
        if place is not None and any(_are_one(place[0], other) for other in taken.get(place[1], ())):
            spare.append(name)
        elif place is not None:
            taken.setdefault(place[1], []).append(place[0])
    return tuple(sorted(name for name in spare if not _HARMLESS.search(name)))


def _are_one(prefix: str, other: str) -> bool:
    """Whether one part of a model may lie below either of two prefixes, so that one of them is a second copy."""
    alike = any(prefix in group and other in group for group in GROUPS)
    return alike or "" in (prefix, other)


def _names(kind: str, model: ModelPath) -> Iterator[str]:
    """The names of the weights in the files that are read, without words before all of them and without scales."""
    files = (model.path,) if model.path.is_file() else (
        file for folder in list_folders(kind, model) for file in find_weights(folder).files
    )  # fmt: skip
    for file in files:
        header = read_header(file)
        names = plain_names(header.shapes) if header is not None and model.path.is_file() else {}
        names = names or dict.fromkeys(header.shapes if header is not None else (), "")
        yield from (name for name in names if not is_beside(name, names))


def _find_place(name: str, known: frozenset[str]) -> tuple[str, str] | None:
    """The prefix and the rest of the name of a weight that may be read; None for one that is not."""
    for prefix in _ORDER:
        if name.startswith(prefix):
            bare = rename_old(name.removeprefix(prefix))
            for rest in (bare, bare.removeprefix("text_model.")):
                if rest in known:
                    return prefix, rest
    return None
