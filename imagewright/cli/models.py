"""``imagewright models``: what lies in the model folders, what flows need, and fetching it when asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagewright.cli.options import JsonFlag, ModelsOption
from imagewright.cli.runs import engine
from imagewright.cli.terminal.text import clean, emit, emit_json, render, table
from imagewright.errors import BadInput, Cancelled

if TYPE_CHECKING:
    from imagewright.container import Imagewright
    from imagewright.schemas import Flow, ModelFile
    from imagewright.t2i_backends.models.download import Hub, Remote
    from imagewright.t2i_backends.models.model_files import ModelFiles
    from imagewright.t2i_backends.models.scan import ScannedModel

app = typer.Typer(help="Look into the model folders, and fetch what a flow needs.", no_args_is_help=True)


def _files(opened: Imagewright) -> ModelFiles:
    from imagewright.t2i_backends.models.model_files import ModelFiles

    return ModelFiles(opened.settings.model_roots)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 10_000_000 else f"{count / 1e6:.2f} MB"


@app.command("scan")
def scan_models(
    flows: Annotated[bool, typer.Option("--flows/--no-flows", help="Add a flow for each new base model.")] = True,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Name every model in the model folders, and add one flow for each checkpoint that no flow uses yet."""
    from imagewright.t2i_backends.models.scan import scan

    with engine(models) as opened:
        seen = scan(_files(opened))
        added = _add_flows(opened, seen) if flows else []
    if as_json:
        emit_json({"models": [vars(model) for model in seen], "flows": added})
        return
    rows = [(m.kind, m.name, m.family or m.holds, _size(m.bytes), m.problem or "ok") for m in seen]
    emit(render(table(("folder", "model", "family", "size", "state"), rows, stretch=4)) if rows else "no models found")
    for flow in added:
        emit(f"added flow {flow}")


def _add_flows(opened: Imagewright, seen: Sequence[ScannedModel]) -> list[str]:
    """One flow for each checkpoint that none uses yet; their ids."""
    from imagewright.retrieval.intake import build_flow
    from imagewright.t2i_backends.families.table import known_families
    from imagewright.t2i_backends.models.scan import default_flows

    used = [file.name for flow in opened.index.list() for file in flow.card.models]
    added = []
    for name, family, graph in default_flows(seen, used):
        title = known_families()[family].title
        words = {
            "title": name, "family": family, "source": "made by models scan",
            "description": f"{name}, a {title} model found in the model folder, with the usual settings of {title}.",
        }  # fmt: skip
        added.append(opened.index.add(build_flow(graph, name, words), rename=True).id)
    return added


@app.command("list")
def list_models(models: ModelsOption = None, as_json: JsonFlag = False) -> None:
    """Name every model file that a flow needs, where it is or belongs, and which flows need it."""
    with engine(models) as opened:
        rows = list(_needed(opened.index.list(), _files(opened)))
    if as_json:
        emit_json({"models": rows})
    else:
        shown = [
            ("here" if r["here"] else "missing", f"{r['folder']}/{r['name']}", ", ".join(r["flows"])) for r in rows
        ]
        emit(render(table(("state", "model", "flows"), shown, stretch=2)))


def _needed(flows: Sequence[Flow], files: ModelFiles) -> Iterator[dict[str, Any]]:
    users: dict[tuple[str, str], list[str]] = {}
    urls: dict[tuple[str, str], str | None] = {}
    for flow in flows:
        for file in flow.card.models:
            users.setdefault((file.folder, file.name), []).append(flow.id)
            urls[file.folder, file.name] = file.url or urls.get((file.folder, file.name))
    for (folder, name), found in sorted(users.items()):
        place, here = _place(files, folder, name)
        yield {"folder": folder, "name": name, "here": here, "place": place, "url": urls[folder, name], "flows": found}


def _place(files: ModelFiles, folder: str, name: str) -> tuple[str, bool]:
    """Where a model is or belongs, and whether it is here."""
    from imagewright.t2i_backends.models.model_files import KIND_FOLDERS

    if folder not in KIND_FOLDERS:
        return f"{folder}/ of a ComfyUI server", False
    try:
        found = files.find(folder, name)
    except BadInput as error:
        return f"{error}: {error.remedy}", False
    return (str(found.path), True) if found is not None else (files.place(folder, name), False)


@app.command("pull")
def pull_models(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow whose missing models are fetched.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the sizes and licences are accepted.")] = False,
    models: ModelsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch the models that FLOW lacks: says size, licence and gate first, and asks; goes on after an interruption."""
    from imagewright.t2i_backends.models.download import Hub

    with engine(models) as opened:
        found = opened.index.get(flow)
        files = _files(opened)
    missing = [file for file in found.card.models if not _place(files, file.folder, file.name)[1]]
    hub = Hub(_token())
    try:
        remotes = [remote for file in missing for remote in _remotes(hub, files, file)]
        _tell(found, remotes, as_json)
        if remotes and _agreed(yes):
            for remote in remotes:
                hub.fetch(remote, _progress(remote))
    finally:
        hub.close()
    fetched = [str(remote.target) for remote in remotes]
    if as_json:
        emit_json({"flow": found.id, "fetched": fetched})
    else:
        emit("\n".join(f"fetched {clean(path)}" for path in fetched) or f"{found.id}: every model is here")


def _remotes(hub: Hub, files: ModelFiles, file: ModelFile) -> list[Remote]:
    if file.url is None:
        raise BadInput(f"the card of this flow has no address for {file.name}", f"put it at {_place_of(files, file)}")
    return [remote for remote in hub.look(file.url, _place_of(files, file)) if not remote.target.is_file()]


def _place_of(files: ModelFiles, file: ModelFile) -> Path:
    from imagewright.t2i_backends.models.model_files import KIND_FOLDERS

    if file.folder not in KIND_FOLDERS:
        raise BadInput(f"{file.name} belongs into {file.folder}, which this backend does not use", "use ComfyUI")
    files.find(file.folder, file.name)
    return Path(files.place(file.folder, file.name))


def _tell(flow: Flow, remotes: Sequence[Remote], as_json: bool) -> None:
    """Size, licence and gate, on standard error."""
    gated = next((remote for remote in remotes if remote.gated), None)
    if gated is not None:
        remedy = f"accept its licence at {gated.url}, then: huggingface-cli login"
        raise BadInput(f"{flow.card.base_model or flow.id} is gated: its owner wants a licence accepted", remedy)
    for remote in remotes:
        print(clean(f"  {_size(remote.bytes)}  {remote.url} → {remote.target}"), file=sys.stderr)
    if remotes:
        total = _size(sum(remote.bytes for remote in remotes))
        licence = flow.card.licence or "not stated on the card"
        print(clean(f"{total} to fetch; licence: {licence}"), file=sys.stderr)


def _agreed(yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise BadInput("nothing is downloaded unasked", "say --yes to fetch these files")
    if not typer.confirm("Fetch them?", default=False, err=True):
        raise Cancelled("nothing was fetched")
    return True


def _progress(remote: Remote) -> Any:
    def show(here: int, whole: int) -> None:
        if sys.stderr.isatty():
            share = f"{100 * here / whole:3.0f} %" if whole else _size(here)
            print(f"\r  {share}  {clean(remote.target.name)}", end="", file=sys.stderr, flush=True)

    return show


def _token() -> str:
    """The person's own Hugging Face token, where they logged in."""
    from huggingface_hub import get_token

    return get_token() or ""
