"""Tables: as wide as they must be, so that no name and no path is cut or broken."""

from __future__ import annotations

import pytest

from imagewright.cli.terminal.text import render, render_labelled, table

PATH = f"/a/very/{'deep/' * 20}model.safetensors"
NAME = "checkpoints/" + "long-name-" * 9 + "v2.safetensors"


@pytest.mark.parametrize("tty", [True, False])
def test_no_path_and_no_name_is_broken(tty: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagewright.cli.terminal.text.is_terminal", lambda stream: tty)
    rows = [("missing", NAME, "flux1-dev"), ("here", "short", f"put it into {PATH} and try again")]
    shown = render(table(("state", "model", "flows"), rows, stretch=2))
    assert NAME in shown
    assert PATH in shown
    assert "…" not in shown
    assert PATH in render(render_labelled([("files", f"see {PATH}, then go on")]))
