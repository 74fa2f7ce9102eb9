"""``imagewright models``: what lies in the model folders, what flows need, and fetching it when asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagewright.cli.options import JsonFlag, ModelsOption
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json, emit_prose, render, table
from imagewright.errors import BadInput, Cancelled

if TYPE_CHECKING:
    from imagewright.api import Download, Imagewright, Remote

app = typer.Typer(help="Look into the model folders, and fetch what a flow needs.", no_args_is_help=True)


_NO_MODELS = "no models found; --models FOLDER or IMAGEWRIGHT_MODELS names another folder, laid out as ComfyUI's"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 10_000_000 else f"{count / 1e6:.2f} MB"


@app.command("scan")
def scan_models(
    flows: Annotated[bool, typer.Option("--flows/--no-flows", help="Add a flow for each new base model.")] = True,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Name every model in the model folders, and add one flow for each checkpoint that no flow uses yet."""
    with engine(models) as opened:
        seen, added = opened.scan_models(add_flows=flows)
        folders = [str(folder) for folder in opened.settings.model_roots]
    if as_json:
        emit_json({"models": [vars(model) for model in seen], "flows": added, "folders": folders})
        return
    emit("\n".join(f"looked in {clean(folder)}{'' if Path(folder).is_dir() else ' (not there)'}" for folder in folders))
    rows = [(m.kind, m.name, m.family or m.holds, _size(m.bytes), m.problem or "ok") for m in seen]
    if not rows:
        emit_prose(_NO_MODELS)
    else:
        emit(render(table(("folder", "model", "family", "size", "state"), rows, stretch=4)))
    for flow in added:
        emit(f"added flow {flow}")


@app.command("list")
def list_models(models: ModelsOption = None, as_json: JsonFlag = False) -> None:
    """Name every model file that a flow needs, where it is or belongs, and which flows need it."""
    with engine(models) as opened:
        rows = [needed._asdict() for needed in opened.list_models()]
    if as_json:
        emit_json({"models": rows})
    else:
        shown = [
            ("here" if r["here"] else "missing", f"{r['folder']}/{r['name']}", ", ".join(r["flows"])) for r in rows
        ]
        emit(render(table(("state", "model", "flows"), shown, stretch=2)))


@app.command("pull")
def pull_models(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow whose missing models are fetched.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the sizes and licences are accepted.")] = False,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch the models that FLOW lacks: says size, licence and gate first, and asks; goes on after an interruption."""
    with engine(models) as opened:
        fetched = fetch_models(opened, flow, yes)
    if as_json:
        emit_json({"flow": flow, "fetched": fetched})
    else:
        emit("\n".join(f"fetched {clean(path)}" for path in fetched) or f"{flow}: every model is here")


def fetch_models(opened: Imagewright, flow: str, yes: bool) -> list[str]:
    """The files that were fetched for ``flow``, once the person has agreed."""
    return [str(path) for path in opened.pull_models(flow, lambda asked: _agree(asked, yes), _show_bytes)]


def _agree(asked: Download, yes: bool) -> bool:
    """Say size and licence on standard error, and ask."""
    for remote in asked.files:
        print(clean(f"  {_size(remote.bytes)}  {remote.url} → {remote.target}"), file=sys.stderr)
    licence = asked.flow.card.licence or "not stated on the card"
    print(clean(f"{_size(asked.bytes)} to fetch; licence: {licence}"), file=sys.stderr)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise BadInput("nothing is downloaded unasked", "say --yes to fetch these files")
    if not typer.confirm("Fetch them?", default=False, err=True):
        raise Cancelled("nothing was fetched")
    return True


def _show_bytes(remote: Remote, here: int, whole: int) -> None:
    if sys.stderr.isatty():
        share = f"{100 * here / whole:3.0f} %" if whole else _size(here)
        print(f"\r  {share}  {clean(remote.target.name)}", end="", file=sys.stderr, flush=True)
