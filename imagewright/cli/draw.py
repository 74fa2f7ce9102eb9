"""``imagewright draw`` and ``imagewright plan``: one prompt, or each line of a file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from imagewright.cli.chat import tell_turn
from imagewright.cli.options import (
    BackendOption,
    CategoriesOption,
    DeviceOption,
    ExploreOption,
    FlowOption,
    FormatOption,
    GuidanceOption,
    ImageOption,
    JsonFlag,
    LayoutOption,
    LlmOption,
    MaskOption,
    ModelsOption,
    NegativeOption,
    OpenFlag,
    PolishOption,
    QuietFlag,
    ServerFlag,
    StepsOption,
    StrengthOption,
    StrictFlag,
    SubstituteFlag,
    ThreadOption,
    new_name,
    parents_of,
    read_format,
    read_money,
    read_out,
    read_prompt,
    read_prompts,
    read_seconds,
    read_share,
    read_size,
    read_text,
    read_tokens,
    read_whole,
)
from imagewright.cli.runs import NOT_ACCEPTED, engine, follow, open_file, show_result
from imagewright.cli.setup import OFFER, is_new_here
from imagewright.cli.terminal.progress import ProgressLine
from imagewright.cli.terminal.text import clean, emit, emit_json, emit_prose, render
from imagewright.cli.workplace import engine_at_work
from imagewright.errors import BadInput, CannotDraw
from imagewright.limits import MAX_GUIDANCE, MAX_IMAGES, MAX_SEED, MAX_STEPS, MAX_VARIATIONS, PICTURE_FORMATS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from imagewright.api import BatchRow, DrawnBatch, Imagewright
    from imagewright.schemas import DrawRequest, RunEvent


def draw(
    prompt: Annotated[str | None, typer.Argument(metavar="PROMPT", help="What to draw; - is standard input.")] = None,
    out: Annotated[str | None, typer.Option(metavar="PATH", help="A file, or a folder for a new one.")] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="The same seed draws the same picture.")] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="In pixels: 1024 or 1024x768; mini: 128.")] = None,
    flow: FlowOption = None,
    backend: BackendOption = None,
    categories: CategoriesOption = True,
    layout: LayoutOption = True,
    critic: Annotated[bool, typer.Option("--critic/--no-critic", help="Check the picture and repair it.")] = True,
    max_images: Annotated[str, typer.Option(metavar="N", help="Pictures to make at most.")] = "4",
    max_seconds: Annotated[str | None, typer.Option(metavar="S", help="Seconds to take at most.")] = None,
    max_tokens: Annotated[str | None, typer.Option(metavar="N", help="Tokens for language models at most.")] = None,
    max_money: Annotated[str | None, typer.Option(metavar="USD", help="What they may cost at most.")] = None,
    thread: ThreadOption = None,
    llm: LlmOption = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Draw what can be drawn of the prompt.")] = False,
    allow_substitute: SubstituteFlag = False,
    polish: PolishOption = False,
    explore: ExploreOption = False,
    strip: Annotated[bool, typer.Option("--strip", help="Leave prompt, flow and trace out of the PNG.")] = False,
    negative: NegativeOption = "",
    steps: StepsOption = None,
    guidance: GuidanceOption = None,
    image: ImageOption = None,
    mask: MaskOption = None,
    strength: StrengthOption = None,
    picture_format: FormatOption = None,
    count: Annotated[str | None, typer.Option(metavar="N", help="So many pictures, into a folder, on a sheet.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is at --out.")] = False,
    batch: Annotated[str | None, typer.Option(metavar="FILE", help="Draw each line of FILE into --out.")] = None,
    strict: StrictFlag = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; draw nothing.")] = False,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
    open_it: OpenFlag = False,
    server: ServerFlag = True,
) -> None:
    """Draw PROMPT and tell how it came about."""
    if count is not None and batch is not None:
        raise BadInput("--count and --batch do not go together", "give each line of the file as often as it is wanted")
    if (prompt is None) == (batch is None):
        raise BadInput("draw takes either a PROMPT or --batch FILE", "see: imagewright draw --help")
    text = read_prompt(prompt) if prompt is not None else "a batch"
    width, height = read_size(size)
    whole_seed = None if seed is None else read_whole("--seed", seed, MAX_SEED)
    images, seconds = read_whole("--max-images", max_images, MAX_IMAGES), read_seconds(max_seconds)
    tokens, money = read_tokens(max_tokens), read_money(max_money)
    from imagewright.schemas import DrawRequest

    request = DrawRequest(
        prompt=text,
        seed=whole_seed,
        width=width,
        height=height,
        flow=flow,
        backend=backend,
        use_categories=categories,
        use_layout=layout,
        use_critic=critic,
        max_images=images,
        max_seconds=seconds,
        max_tokens=tokens,
        max_money=money,
        thread=thread,
        llm=llm,
        polish=polish,
        explore=explore,
        strip=strip,
        anyway=anyway,
        allow_substitute=allow_substitute,
        negative=read_text("--negative", negative),
        steps=None if steps is None else read_whole("--steps", steps, MAX_STEPS),
        guidance=read_share("--guidance", guidance, MAX_GUIDANCE),
        image=image,
        mask=mask,
        strength=read_share("--strength", strength, 1.0),
        format=read_format(picture_format),
        taken="replace" if force else "refuse",
    )
    many = None if count is None else read_whole("--count", count, MAX_VARIATIONS)
    if dry_run:
        texts = [text] if batch is None else read_prompts(batch)
        _tell_plans([request.revise(prompt=one) for one in texts], models, device, as_json=as_json)
        return
    place = Place(models, device, as_json, quiet, open_it, server)
    if batch is not None:
        code = _draw_batch(batch, Path(out or "batch").expanduser(), request, place)
    elif many is not None:
        code = draw_many(request, many, Path(out).expanduser() if out else new_name(Path(), text, ""), place)
    else:
        code = _draw(request, out, place)
    if code == CannotDraw.exit_code or (code == NOT_ACCEPTED and strict):
        raise typer.Exit(code)


class Place(NamedTuple):
    """Where a command draws, and how it tells."""

    models: list[Path] | None
    device: str | None
    as_json: bool
    quiet: bool
    opens: bool = False
    """Whether what is drawn is opened with the system's viewer."""
    server: bool = True
    """Whether a running server of the home may draw."""

    def open_engine(self) -> AbstractContextManager[Imagewright]:
        """The engine that draws there."""
        return engine_at_work(self.models, self.device, server=self.server, quiet=self.quiet)


def _draw(request: DrawRequest, out: str | None, place: Place) -> int:
    path = read_out(out, request.prompt, PICTURE_FORMATS[request.format or "png"])
    ours = request.taken == "refuse" and not (out is not None and path == Path(out).expanduser())
    request = request.revise(out=str(path), taken="number" if ours else request.taken)
    with parents_of(path), place.open_engine() as opened:
        new = not (place.quiet or place.as_json) and is_new_here(opened.settings)
        if request.flow is not None:
            opened.index.get(request.flow)
        result = follow(lambda listen: opened.draw(request, on_event=listen), quiet=place.quiet)
        turns = opened.threads.turns(request.thread.strip()) if request.thread else ()
    if turns and not (place.quiet or place.as_json):
        tell_turn(result, next(turn.picture for turn in turns if turn.run == result.run))
    else:
        show_result(result, as_json=place.as_json, quiet=place.quiet)
    if new:
        emit_prose("", OFFER)
    if place.opens:
        open_file(Path(result.path))
    return 0 if result.accepted else NOT_ACCEPTED


def _draw_batch(source: str, folder: Path, request: DrawRequest, place: Place) -> int:
    """Draw each line of ``source``; the exit code: 3 where one could not be drawn, else 5 where none was accepted."""
    prompts, options = read_prompts(source), request.model_dump(exclude={"prompt", "out"})
    with place.open_engine() as opened, _BatchLines(place.quiet, place.as_json) as lines:
        drawn = opened.draw_batch(prompts, folder, on_event=lines.hear, on_row=lines.tell, **options)
    return _tell_batch(drawn, folder, place)


def draw_many(request: DrawRequest, count: int, folder: Path, place: Place) -> int:
    """Draw ``request`` ``count`` times into ``folder``; the exit code, as of a batch."""
    with place.open_engine() as opened, _BatchLines(place.quiet, place.as_json) as lines:
        drawn = opened.draw_variations(request, count, folder, on_event=lines.hear, on_row=lines.tell)
    return _tell_batch(drawn, folder, place)


def _tell_batch(drawn: DrawnBatch, folder: Path, place: Place) -> int:
    missed = sum(row["status"] != "delivered" for row in drawn.rows)
    accepted = sum(row.get("accepted") is True for row in drawn.rows)
    if place.as_json:
        emit_json({"manifest": str(drawn.manifest), "contact_sheet": drawn.contact_sheet, "rows": drawn.rows})
    else:
        sheet = f"; {drawn.contact_sheet}" if drawn.contact_sheet else ""
        made = f"{len(drawn.rows) - missed} of {len(drawn.rows)} pictures are in {folder}"
        emit(clean(f"{made}, {accepted} of them accepted{sheet}"))
    if place.opens and drawn.contact_sheet:
        open_file(Path(drawn.contact_sheet))
    return CannotDraw.exit_code if missed else 0 if accepted else NOT_ACCEPTED


class _BatchLines:
    """What is told while a batch is drawn: the progress of each picture, then a line of it."""

    def __init__(self, quiet: bool, as_json: bool) -> None:
        self._quiet, self._silent = quiet, quiet or as_json
        self._lines = contextlib.ExitStack()
        self._progress = ProgressLine(quiet)

    def __enter__(self) -> _BatchLines:
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()

    def hear(self, event: RunEvent) -> None:
        """One event of the picture that is being drawn; the first one names its run."""
        if event.kind == "run":
            self._progress = self._lines.enter_context(ProgressLine(self._quiet))
        self._progress(event)

    def tell(self, number: int, row: BatchRow) -> None:
        """How a prompt stands, once it was its turn."""
        from imagewright.schemas import say_judgement

        self._lines.close()
        if not self._silent:
            stands = say_judgement(row.get("accepted"), row.get("score")) if "path" in row else row["status"]
            emit(clean(f"{number + 1:03}  {stands:<17}  {row.get('path') or row.get('error', '')}"))
            if self._progress.notes and "path" in row:
                emit_prose(f"     note: {'; '.join(self._progress.notes)}")
        self._progress = ProgressLine(self._quiet)  # a row that is done already tells no notes of another


def plan(
    prompt: Annotated[str | None, typer.Argument(metavar="PROMPT", help="- reads standard input.")] = None,
    from_file: Annotated[str | None, typer.Option(metavar="FILE", help="One prompt a line; - is stdin.")] = None,
    llm: LlmOption = None,
    models: ModelsOption = None,
    device: DeviceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what PROMPT would be drawn with and where things would go. Draws nothing."""
    if (prompt is None) == (from_file is None):
        raise BadInput("plan takes either a PROMPT or --from-file FILE", "see: imagewright plan --help")
    prompts = [read_prompt(prompt)] if prompt is not None else read_prompts(from_file or "-")
    from imagewright.schemas import DrawRequest

    requests = [DrawRequest(prompt=one, llm=llm) for one in prompts]
    _tell_plans(requests, models, device, as_json=as_json, lines=from_file is not None)


def _tell_plans(
    requests: list[DrawRequest], models: list[Path] | None, device: str | None, *, as_json: bool, lines: bool = False
) -> None:
    """Plan each request and tell it: as one line of JSON, as JSON, or as its story."""
    with engine(models, device) as opened:
        for request in requests:
            planned = opened.plan(request)
            if lines:
                emit_json(planned.model_dump(mode="json"), indent=None)
            elif as_json:
                emit_json(planned.model_dump(mode="json"))
            else:
                from imagewright.cli.story import tell_plan

                emit(render(tell_plan(planned)))
