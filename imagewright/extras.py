"""Optional parts of the installation: what is missing is one line that says how to install it."""

from __future__ import annotations

from importlib.util import find_spec

from imagewright.errors import BadInput


def insist_on_extra(extra: str, *packages: str) -> None:
    """Refuse where one of ``packages``, which ``extra`` brings, is not installed.

    Raises:
        BadInput: one is missing.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise BadInput(f"{', '.join(missing)} is not installed", f"pip install 'imagewright[{extra}]'")
