"""A fit as it is kept in the database, so that a process that starts does not fit anew; and what it is made of."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Sequence

import numpy as np

from imagewright.retrieval.cells import Cells, FloatArray, Ints, Scale, Scores, Variances
from imagewright.retrieval.flow_table import FlowTable
from imagewright.retrieval.prompt_table import PromptTable
from imagewright.retrieval.score_rows import ScoreRows


def read_scores_of(
    db: sqlite3.Connection,
    backend: str,
    learn_critic: bool,
    flows: FlowTable,
    prompts: PromptTable,
    share: float = 1.0,
) -> tuple[Scores, list[str]]:
    """Every score on ``backend`` of graphs as they are now, by unit and prompt, and the scorers' names; or a share."""
    return ScoreRows(flows, prompts, backend, learn_critic).read(db, share).gather()


def pack_fit(cells: Cells, scorers: Sequence[str], flows: FlowTable, prompts: PromptTable) -> bytes:
    """A fit as bytes: units go by their shapes and prompts by their ids, so that any process can take it up."""
    head = {
        "shapes": list(flows.unit_of_shape), "prompts": prompts.ids[: cells.prompts], "scorers": list(scorers),
        "common": list(vars(cells.common).values()), "typical": cells.typical,
        "scales": [[s.scorer, s.unit, s.middle, s.width, s.centre, s.spread] for s in cells.scales],
    }  # fmt: skip
    arrays: dict[str, FloatArray | Ints] = {"mean": cells.mean, "count": cells.count, "level": cells.level}
    arrays |= {f"prompt{i}": scale.by_prompt for i, scale in enumerate(cells.scales)}
    arrays |= {f"flow{i}": scale.by_flow for i, scale in enumerate(cells.scales)}
    target = io.BytesIO()
    np.savez(
        target, head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
        unit=cells.flow.astype(np.int32), prompt=cells.prompt.astype(np.int32), **arrays,  # type: ignore[arg-type]
    )  # fmt: skip
    return target.getvalue()


def unpack_fit(data: bytes, flows: FlowTable, prompts: PromptTable) -> tuple[Cells, list[str]]:
    """The fit that ``pack_fit`` wrote, by the numbers of today; what is gone meanwhile is left out."""
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        head = json.loads(kept["head"].tobytes())
        parts = {name: kept[name] for name in kept.files}
    unit = np.array([flows.unit_of_shape.get(shape, -1) for shape in head["shapes"]], dtype=np.int64)
    place = np.array([prompts.at.get(key, -1) for key in head["prompts"]], dtype=np.int64)
    flow, prompt = unit[parts["unit"]], place[parts["prompt"]]
    good = (flow >= 0) & (prompt >= 0)
    mean, count = parts["mean"], parts["count"]
    if not good.all():
        flow, prompt, mean, count = flow[good], prompt[good], mean[good], count[good]
    key = flow * len(prompts) + prompt
    order = np.argsort(key, kind="stable") if np.any(key[1:] < key[:-1]) else slice(None)
    sizes = len(flows.members), len(prompts)
    common = Variances(*head["common"])
    scales = tuple(
        Scale(number, bool(unit_scale), middle, width, centre,
              _placed(parts[f"prompt{i}"], place, sizes[1]), _placed(parts[f"flow{i}"], unit, sizes[0]), spread)
        for i, (number, unit_scale, middle, width, centre, spread) in enumerate(head["scales"])
    )  # fmt: skip
    level = _placed(parts["level"], place, sizes[1], common.grand)
    cells = Cells(
        flow[order], prompt[order], mean[order], count[order], *sizes, level, common, scales, head["typical"]
    )  # fmt: skip
    return cells, list(head["scorers"])


def _placed(values: FloatArray, at: Ints, size: int, otherwise: float = 0.0) -> FloatArray:
    found = np.full(size, otherwise)
    found[at[at >= 0]] = values[at >= 0]
    return found
