"""``imagewright eval tokens`` and ``imagewright eval layouts``: what the agents cost, and how well the rules place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagewright.cli.options import JsonFlag
from imagewright.cli.terminal.text import emit, emit_json
from imagewright.errors import BadInput

DataOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", envvar="IMAGEWRIGHT_DATA", help="Holds geneval/ and t2i-compbench/."),
]


def tokens(as_json: JsonFlag = False) -> None:
    """Print the tokens that each agent reads for one request, beside a table in context."""
    from imagewright.evals import tokens as evals

    rows = evals.measure_tokens(evals.wordpieces())
    if as_json:
        table = [
            {"agent": row.agent, **dict(zip(map(str, evals.INDEX_SIZES), row.tokens, strict=True))} for row in rows
        ]
        return emit_json({"limit": evals.LIMIT, "rows": table})
    lines = [f"{'tokens read, by flows in the index':<36}{''.join(f'{size:>12,}' for size in evals.INDEX_SIZES)}"]
    lines += [f"{row.agent:<36}{''.join(f'{n:>12,}' for n in row.tokens)}" for row in rows]
    return emit("\n".join(lines))


def layouts(
    data: DataOption = None,
    failures: Annotated[bool, typer.Option("--failures", help="Also print what was not laid out as asked.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Lay out the prompts of GenEval and T2I-CompBench by rules and say how many are as asked."""
    from imagewright.agents.layout.rules import RulesLayoutPlanner
    from imagewright.evals.layouts import evaluate_sets

    if data is None:
        raise BadInput("no benchmark data", "give --data DIR or set IMAGEWRIGHT_DATA")
    scores = evaluate_sets(data, RulesLayoutPlanner())
    if as_json:
        return emit_json(
            [{"set": s.name, "passed": s.passed, "total": s.total, "failures": s.failures} for s in scores]
        )
    emit("\n".join(score.line for score in scores))
    if failures:
        emit("\n".join(line for score in scores for line in score.failures) or "none failed")
    return None


def add_to(app: typer.Typer) -> None:
    """Put both commands under ``app``."""
    app.command()(tokens)
    app.command()(layouts)
