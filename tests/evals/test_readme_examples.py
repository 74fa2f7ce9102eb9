"""The README's examples: found on the page, run, and told as they come out."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pty", reason="this system has no pseudo-terminals")

from imagewright.evals.readme_examples import find_examples, run_example

PAGE = """words
```
$ imagewright paint "a fox"
imagewright: No such command
```
```sh
imagewright draw "not an example"
```
"""


def test_examples_are_the_blocks_with_a_prompt() -> None:
    assert list(find_examples(PAGE)) == [('imagewright paint "a fox"', "imagewright: No such command\n")]
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert list(find_examples(readme))


def test_an_example_is_told_as_it_comes_out(tmp_path: Path) -> None:
    told = run_example("imagewright runs show nothing", tmp_path)
    assert told.startswith("imagewright: no run")
    assert run_example("imagewright draw", tmp_path).count("\n") == 2
