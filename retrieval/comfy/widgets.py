"""The widgets of a node: which there are, in which order, and the values that a file saved for them.

A file keeps the values as a list in the widgets' order, without names. The order follows the node class's inputs, with
the editor's own widgets between: the word (once a truth value) that says what becomes of a seed after a run, upload
buttons, previews, and the inputs that a dynamic choice adds. An input whose class says ``socketless``, true or false,
is a widget, whatever its type.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from imagewright.retrieval.comfy.catalogue import InputSpec, NodeSpec, specs_of
from imagewright.retrieval.comfy.model import MAX_SLOTS, UNSET, EditorNode, Socket, Widget, read_slots, read_socket

PLAIN_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", "MARKDOWN", "TEXTAREA"})
EDITOR_TYPES = frozenset({"IMAGEUPLOAD", "AUDIOUPLOAD", "AUDIO_UI", "AUDIO_RECORD", "WEBCAM", "LOAD_3D", "PREVIEW_3D"})
DYNAMIC_CHOICE, GROWING, MATCHING = "COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3", "COMFY_MATCHTYPE_V3"
CONTROL = "control_after_generate"
CONTROL_WORDS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
SEED_NAMES = frozenset({"seed", "noise_seed"})
PLACEHOLDER = re.compile(
    r"\s*(%[A-Za-z_][\w. -]{0,40}%|\{\{\s*\w[\w. -]{0,40}\s*\}\}|\$?\{\w[\w. -]{0,40}\}|__[A-Z_]{2,40}__)\s*"
)
"""What template tools write where a request's value goes."""
EXACT_NUMBERS = 2**53
"""The editor's numbers are doubles: whole numbers beyond this are rounded."""


class _Extra(NamedTuple):
    """A widget of the editor's own that a class carries after those of its required inputs."""

    name: str
    value: object = ""
    stored: bool = True
    sent: bool = True
    fixed: bool = False
    """Whether the editor makes the value anew, whatever the file says."""
    word: bool = False
    """Whether it is a button, there only in files whose next value is its very word."""


_AUDIO = (_Extra("audioUI", "", stored=False),)
_UPLOAD = _Extra("upload", "image", sent=False)
EXTRAS: Mapping[str, tuple[_Extra, ...]] = {
    **dict.fromkeys(("SaveAudio", "SaveAudioMP3", "SaveAudioOpus", "PreviewAudio", "LoadAudio"), _AUDIO),
    "SaveGLB": (_Extra("image", fixed=True),),
    "Preview3D": (_Extra("image", fixed=True),),
    "PreviewAny": (_Extra("preview", "", stored=False), _Extra("previewMode", False)),
}
BESIDE: Mapping[tuple[str, str], tuple[_Extra, ...]] = {
    ("LoadImageOutput", "image"): (
        _Extra("Auto-refresh after generation", False, sent=False),
        _Extra("refresh", "refresh"),
    ),
    ("Load3D", "model_file"): tuple(
        _Extra(word, word, sent=False, word=True) for word in ("upload3dmodel", "uploadExtraResources", "clear")
    ),
}
"""The same for widgets that follow one input rather than all."""


EMPTY_VALUES: Mapping[str, object] = {"INT": 0, "FLOAT": 0, "BOOLEAN": False, "IMAGECOMPARE": ["", ""]}
"""What a new widget of a type holds where its class says nothing; others hold empty text."""


def is_widget(spec: InputSpec) -> bool:
    """Whether the editor shows a widget for an input, rather than only a socket."""
    kind = str(spec.options.get("widgetType") or spec.type)
    known = kind in PLAIN_TYPES or kind in EDITOR_TYPES or kind == DYNAMIC_CHOICE or "socketless" in spec.options
    return known and not spec.options.get("forceInput")


def _is_control(spec: InputSpec) -> bool:
    """Whether a widget that says what becomes of the value after a run follows this one."""
    wanted = spec.options.get(CONTROL)
    if wanted is None:
        return spec.type == "INT" and spec.name in SEED_NAMES
    return bool(wanted) and spec.type in ("INT", "FLOAT", "COMBO")


def default_of(spec: InputSpec) -> object:
    """The value that the editor gives a new widget."""
    if spec.type == DYNAMIC_CHOICE:
        return next((str(item.get("key")) for item in spec.choices if isinstance(item, dict)), UNSET)
    if "default" in spec.options:
        return spec.options["default"]
    if spec.type == "COMBO":
        return next(iter(spec.choices), UNSET)
    return EMPTY_VALUES.get(spec.type, "")


class Saved:
    """The values of a file for one node, handed out in order, or by name where the file has names."""

    def __init__(self, values: object) -> None:
        self.names: Mapping[str, Any] | None = values if isinstance(values, dict) else None
        self.queue: deque[object] = deque(values[:MAX_SLOTS] if isinstance(values, list) else [])

    def take(self, name: str, default: object) -> object:
        """The value of the next widget, which is called ``name``."""
        if self.names is not None:
            return self.names.get(name, default)
        return self.queue.popleft() if self.queue else default

    def is_next(self, value: object) -> bool:
        """Whether the next value is this one."""
        return bool(self.queue) and self.queue[0] == value


def fill(node: EditorNode, spec: NodeSpec) -> None:
    """Give a node the sockets and widgets of its class, with the links and values that the file saved."""
    rows = list(spec.inputs)
    saved = Saved(_without_forced(rows, node.raw.get("widgets_values")))
    controls = not _lacks_controls(node.type, rows, saved)
    shown: list[InputSpec] = []
    waiting = deque(rows)
    required = sum(row.required for row in rows)
    _extras(node, EXTRAS.get(node.type, ()) if not required else (), saved)
    while waiting:
        row = waiting.popleft()
        shown.append(row)
        if is_widget(row):
            added = _add(node, row, saved, controls)
            waiting.extendleft(reversed(added))
            required += sum(item.required for item in added)
        required -= row.required
        if row.required and required == 0:
            _extras(node, [*EXTRAS.get(node.type, ()), *_uploads(rows)], saved)
    node.unclear = _unclear(node, shown, saved)
    _connect(node, shown)
    node.outputs = _outputs(node, spec)


def _unclear(node: EditorNode, shown: Sequence[InputSpec], saved: Saved) -> str:
    """Why the file's values do not fit the widgets that are known; empty where they fit.

    Every input is a socket in the file or a widget. One that is neither, and a widget that the class lacks, hold values
    of their own, after which all that follows would move.
    """
    rows = {str(row.get("name")): row for row in read_slots(node, "inputs")} if saved.queue else {}
    for row in shown if rows else ():
        if not is_widget(row) and row.name not in rows and row.type not in (GROWING, MATCHING):
            return f"has a value of a kind that is not known, {row.type[:60]} ({row.name[:60]}): the others would shift"
    known = {row.name for row in shown} | {widget.name for widget in node.widgets}
    named = [name for name, row in rows.items() if isinstance(row.get("widget"), dict)]
    strange = [name for name in named if name not in known]
    if strange and named[-len(strange) :] == strange:
        node.spare = strange
    elif strange:
        return f"has a value that the catalogue does not know ({strange[0][:60]}): the others would shift"
    return _misfit(node, shown) if saved.names is None else ""


def _misfit(node: EditorNode, shown: Sequence[InputSpec]) -> str:
    """The first number whose place holds words: the file's values are those of another version of the class."""
    linked = {str(row.get("name")) for row in read_slots(node, "inputs") if row.get("link") is not None}
    for row in shown:
        widget = node.widget(row.name) if row.type in ("INT", "FLOAT") and row.name not in linked else None
        value = widget.value if widget else None
        if isinstance(value, str) and re.search(r"[^\W\d_]{2}", value) and not PLACEHOLDER.fullmatch(value):
            return f"has {value[:40]!r} where the number {row.name[:60]} belongs: its values are another version's"
    return ""


def _add(node: EditorNode, row: InputSpec, saved: Saved, controls: bool) -> list[InputSpec]:
    """Add the widget of one input (and those beside it); what a dynamic choice adds after itself comes back."""
    box = row.type == "STRING" and bool(row.options.get("multiline"))
    widget = Widget(row.name, text=box, replaces=row.name == "filename_prefix",
                    dynamic=row.type == "STRING" and bool(row.options.get("dynamicPrompts")))  # fmt: skip
    widget.value = take_value(widget, saved.take(row.name, default_of(row)))
    node.widgets.append(widget)
    if controls and _is_control(row):
        extra = [_Extra(CONTROL, "randomize", sent=False)]
        _extras(node, extra + [_Extra("control_filter_list", "", sent=False)] * (row.type == "COMBO"), saved)
    _extras(node, BESIDE.get((node.type, row.name), ()), saved)
    if (node.type, row.name) == ("CustomCombo", "choice"):
        _extras(node, _combo_rows(saved), saved)
    return _chosen(row, widget.value) if row.type == DYNAMIC_CHOICE else []


def _extras(node: EditorNode, extras: Sequence[_Extra], saved: Saved) -> None:
    for extra in extras:
        if extra.word and not saved.is_next(extra.value):
            continue
        value = saved.take(extra.name, extra.value) if extra.stored else extra.value
        node.widgets.append(Widget(extra.name, extra.value if extra.fixed else value, extra.sent))


def _combo_rows(saved: Saved) -> list[_Extra]:
    """The place of the chosen row and the rows themselves, which a choice of one's own keeps in the editor."""
    named = None if saved.names is None else sum(name.startswith("option") for name in saved.names)
    count = max(1, len(saved.queue) - 1 if named is None else named)
    return [_Extra("index", 0), *(_Extra(f"option{place}", "") for place in range(1, min(count, MAX_SLOTS) + 1))]


def _uploads(rows: Sequence[InputSpec]) -> list[_Extra]:
    flags = ("image_upload", "video_upload", "audio_upload")
    return [_UPLOAD] if any(row.options.get(flag) for row in rows for flag in flags) else []


def _chosen(row: InputSpec, value: object) -> list[InputSpec]:
    """The inputs that a dynamic choice adds for ``value``."""
    for item in row.choices:
        if isinstance(item, dict) and item.get("key") == value:
            return specs_of(item.get("inputs"), row.name)
    return []


def _without_forced(rows: Sequence[InputSpec], values: object) -> object:
    """Older files kept a place for inputs that are sockets only by now; the value there is dropped."""
    if not isinstance(values, list) or not any(row.options.get("forceInput") for row in rows):
        return values
    kept: list[bool] = []
    for row in rows:
        forced = bool(row.options.get("forceInput"))
        if forced or is_widget(row):
            kept += [not forced] + [True] * bool(row.options.get(CONTROL))
    return [value for value, keep in zip(values, kept, strict=True) if keep] if len(kept) == len(values) else values


def _lacks_controls(class_type: str, rows: Sequence[InputSpec], saved: Saved) -> bool:
    """Whether the file is older than the words after seeds: exactly those values are missing."""
    shown = [row for row in rows if is_widget(row)]
    places = [place for place, row in enumerate(shown) if _is_control(row)]
    if saved.names is not None or not places or len(saved.queue) != len(shown):
        return False
    following = saved.queue[places[0] + 1] if places[0] + 1 < len(saved.queue) else None
    return (
        not isinstance(following, bool) and following not in CONTROL_WORDS
        if isinstance(following, str | int | float)
        else False
    )


def take_value(widget: Widget, value: object) -> object:
    """The value that a widget takes on when the file says ``value``; a box of text makes text of it."""
    if widget.text and isinstance(value, list):
        return ",".join(map(str, value))
    if not widget.text or isinstance(value, str | dict):
        return number(value)
    return "" if value is None else json.dumps(number(value))


def number(value: object) -> object:
    """A number as the editor holds it: beyond 2^53 whole numbers are those that a double can hold."""
    if type(value) is int and abs(value) > EXACT_NUMBERS:
        try:
            return int(Decimal(repr(float(value))))
        except OverflowError:
            return value
    return value


# --- sockets --------------------------------------------------------------------------------


def _connect(node: EditorNode, shown: Sequence[InputSpec]) -> None:
    """The sockets of the class first (those without a widget before those with one), then the file's own others."""
    known = {row["name"]: read_socket(row) for row in read_slots(node, "inputs") if isinstance(row.get("name"), str)}
    sockets = [socket for row in shown if not is_widget(row) for socket in _sockets(row)]
    sockets += [
        Socket(row.name, row.type, None, row.name)
        for row in shown
        if is_widget(row) and not row.options.get("socketless")
    ]
    for socket in sockets:
        saved = known.pop(socket.name, None)
        socket.link = saved.link if saved else None
    for socket in known.values():
        socket.widget = socket.widget if node.widget(socket.widget) else None
    node.inputs = sockets + list(known.values())


def _sockets(row: InputSpec) -> list[Socket]:
    """The sockets of an input without a widget: one, or the first few of an input that grows."""
    template = row.options.get("template")
    if row.type == MATCHING:
        return [Socket(row.name, str(template.get("allowed_types", "*")) if isinstance(template, dict) else "*")]
    if row.type != GROWING or not isinstance(template, dict):
        return [Socket(row.name, row.type)]
    inner = specs_of(template.get("input"), row.name)
    kind, least = inner[0].type if inner else "*", template.get("min")
    prefix = str(template.get("prefix", inner[0].name.rsplit(".", 1)[-1] if inner else ""))
    count = min(least, MAX_SLOTS) if type(least) is int else 0
    return [Socket(f"{row.name}.{prefix}{place}", kind) for place in range(count)]


def _outputs(node: EditorNode, spec: NodeSpec) -> list[str]:
    types = ["*" if kind == MATCHING else kind for kind in spec.outputs]
    saved = [str(row.get("type") or "*") for row in read_slots(node, "outputs")]
    return types + saved[len(types) :]
