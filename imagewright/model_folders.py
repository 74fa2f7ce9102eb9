"""What lies in the model folders, a flow for each new base model there, and what flows lack; fetched when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imagewright.errors import BadInput

if TYPE_CHECKING:
    from imagewright.container import Container
    from imagewright.schemas import Flow, ModelFile
    from imagewright.t2i_backends.models.download import Hub, Remote
    from imagewright.t2i_backends.models.model_files import ModelFiles
    from imagewright.t2i_backends.models.scan import ScannedModel

_ASKED = 50
"""How many of the flows that need a file are asked for its address, the last ones: thousands may need the same."""
OnFile = Callable[["Remote", int, int], None]
"""Called with the file that is fetched, its bytes that are here, and those that there are."""


SOME = 5
"""How many of the flows that need a file a page names."""


class ModelScan(NamedTuple):
    """The models that were seen, and the ids of the flows that were added for them."""

    models: tuple[ScannedModel, ...]
    flows: tuple[str, ...]


class NeededModel(NamedTuple):
    """A model file that flows need."""

    folder: str
    name: str
    here: bool
    place: str
    """Where it is, or where it belongs."""
    url: str | None
    flows: tuple[str, ...]


class ModelPage(NamedTuple):
    """Some of the model files that flows need."""

    models: tuple[NeededModel, ...]
    """Each with some of the flows that need it."""
    users: tuple[int, ...]
    """How many flows need each."""
    total: int


class Download(NamedTuple):
    """What would be fetched for a flow; what it costs is to be said before a person agrees."""

    flow: Flow
    files: tuple[Remote, ...]

    @property
    def bytes(self) -> int:
        """All of it; files whose server does not say count as 0."""
        return sum(file.bytes for file in self.files)


def scan_folders(container: Container, *, add_flows: bool) -> ModelScan:
    """Every model in the model folders; with ``add_flows`` a flow for each checkpoint that no flow uses yet."""
    from imagewright.t2i_backends.models.scan import scan

    seen = scan(_files(container))
    return ModelScan(tuple(seen), tuple(_add_flows(container, seen)) if add_flows else ())


def _files(container: Container) -> ModelFiles:
    from imagewright.t2i_backends.models.model_files import ModelFiles

    return ModelFiles(container.settings.model_roots)


def _add_flows(container: Container, seen: Sequence[ScannedModel]) -> Iterator[str]:
    from imagewright.retrieval import flow_facts
    from imagewright.retrieval.intake import build_flow
    from imagewright.t2i_backends.families.table import known_families
    from imagewright.t2i_backends.models.scan import default_flows

    with container.index.reading() as db:
        flow_facts.bring_up(db)
        used = sorted({name for _, name, _ in flow_facts.list_files(db)})
    for name, family, graph in default_flows(seen, used):
        title = known_families()[family].title
        words = {
            "title": name, "family": family, "source": "made by models scan",
            "description": f"{name}, a {title} model found in the model folder, with the usual settings of {title}.",
        }  # fmt: skip
        yield container.index.add(build_flow(graph, name, words), rename=True).id


def list_needed(container: Container) -> Iterator[NeededModel]:
    """Every model file that a flow of the index needs, by folder and name."""
    from imagewright.retrieval import flow_facts

    files, index = _files(container), container.index
    users: dict[tuple[str, str], list[str]] = {}
    with index.reading() as db:
        flow_facts.bring_up(db)
        for folder, name, flow in flow_facts.list_files(db):
            users.setdefault((folder, name), []).append(flow)
        for (folder, name), flows in users.items():
            place, here = _place(files, folder, name)
            url = _find_url((index.get(flow) for flow in flows[: -_ASKED - 1 : -1]), folder, name)
            yield NeededModel(folder, name, here, place, url, tuple(flows))


def _find_url(flows: Iterable[Flow], folder: str, name: str) -> str | None:
    """The address of a file on the first card that tells it."""
    stated = (file.url for flow in flows for file in flow.card.models if (file.folder, file.name) == (folder, name))
    return next(filter(None, stated), None)


def page_needed(container: Container, search: str, limit: int, offset: int) -> ModelPage:
    """Some of the same, by the table of files that the index keeps; no more flows are read than there are rows."""
    from imagewright.retrieval import flow_facts

    files, index = _files(container), container.index
    with index.reading() as db:
        flow_facts.bring_up(db)
        rows, total = flow_facts.page_files(db, search, limit, offset)
        found = [
            _needed(files, index.get(row["first"]), *key, flow_facts.find_users(db, *key, SOME))
            for row in rows
            for key in [(row["folder"], row["name"])]
        ]
    return ModelPage(tuple(found), tuple(int(row["users"]) for row in rows), total)


def _needed(files: ModelFiles, first: Flow, folder: str, name: str, users: Sequence[str]) -> NeededModel:
    url = next((file.url for file in first.card.models if (file.folder, file.name) == (folder, name)), None)
    place, here = _place(files, folder, name)
    return NeededModel(folder, name, here, place, url, tuple(users))


def _place(files: ModelFiles, folder: str, name: str) -> tuple[str, bool]:
    """Where a model is or belongs, and whether it is here."""
    from imagewright.t2i_backends.models.model_files import KIND_FOLDERS

    if folder not in KIND_FOLDERS:
        return f"{folder}/ of ComfyUI", False
    try:
        found = files.find(folder, name)
    except BadInput as error:
        return f"{error}: {error.remedy}", False
    return (str(found.path), True) if found is not None else (files.place(folder, name), False)


def pull_missing(
    container: Container, flow: str, agree: Callable[[Download], bool], on_bytes: OnFile | None
) -> tuple[Path, ...]:
    """Fetch the models that ``flow`` lacks, where ``agree`` says yes to them; the files that were fetched.

    Raises:
        BadInput: there is no such flow, its card has no address for a file, or its owner wants a licence accepted.
        CannotDraw: a file was cut off; the next call goes on with it.
    """
    from imagewright.t2i_backends.models.download import Hub

    wanted, files = container.index.get(flow), _files(container)
    missing = [file for file in wanted.card.models if not _place(files, file.folder, file.name)[1]]
    hub = Hub(_token())
    try:
        remotes = tuple(remote for file in missing for remote in _remotes(hub, files, file))
        _refuse_gated(wanted, remotes)
        if not remotes or not agree(Download(wanted, remotes)):
            return ()
        for remote in remotes:
            hub.fetch(remote, partial(on_bytes or _ignore, remote))
    finally:
        hub.close()
    return tuple(remote.target for remote in remotes)


def _remotes(hub: Hub, files: ModelFiles, file: ModelFile) -> list[Remote]:
    if file.url is None:
        raise BadInput(f"the card of this flow has no address for {file.name}", f"put it at {_target(files, file)}")
    return [remote for remote in hub.look(file.url, _target(files, file)) if not remote.target.is_file()]


def _target(files: ModelFiles, file: ModelFile) -> Path:
    from imagewright.t2i_backends.models.model_files import KIND_FOLDERS

    if file.folder not in KIND_FOLDERS:
        raise BadInput(f"{file.name} belongs into {file.folder}, which this backend does not use", "use ComfyUI")
    files.find(file.folder, file.name)
    return Path(files.place(file.folder, file.name))


def _refuse_gated(flow: Flow, remotes: Sequence[Remote]) -> None:
    gated = next((remote for remote in remotes if remote.gated), None)
    if gated is not None:
        remedy = f"accept its licence at {gated.url}, then: huggingface-cli login"
        raise BadInput(f"{flow.card.base_model or flow.id} is gated: its owner wants a licence accepted", remedy)


def _ignore(file: Remote, here: int, whole: int) -> None:
    """The listener of those who do not listen."""


def _token() -> str:
    """The person's own Hugging Face token, where they logged in."""
    from huggingface_hub import get_token

    return get_token() or ""
