"""The page in the person's browser, with their token: told in a terminal, or opened by way of a private file.

A browser that is started with the token in its command line would show it to every user of the machine. So it is
started with the name of a file in the home, mode 0600, which sends it on.
"""

from __future__ import annotations

import html
import os
import webbrowser
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from imagewright.database import storage_errors

OPENER = "open.html"


def address_with_token(url: str, secret: SecretStr) -> str:
    """Where the page is, with the token in the fragment, which is sent to no server."""
    return f"{url}/#token={quote(secret.get_secret_value(), safe='')}"


def write_opener(home: Path, address: str) -> Path:
    """A file in the home that sends a browser on to ``address``; only this user can read it from its first byte on.

    Raises:
        BadInput: the folder cannot be written.
    """
    path, new = home / OPENER, home / f".{OPENER}.{os.getpid()}"
    with storage_errors(path):
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_PAGE.format(address=html.escape(address)))
        os.replace(new, path)
    return path


def open_page(home: Path, address: str) -> bool:
    """Open the page in the person's browser; whether there is one.

    Raises:
        BadInput: the folder cannot be written.
    """
    return webbrowser.open(write_opener(home, address).as_uri())


def drop_opener(home: Path) -> None:
    """Delete the file: the token in it is of use to nobody any more."""
    (home / OPENER).unlink(missing_ok=True)


_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>imagewright</title>
<p><a href="{address}">imagewright</a></p>
"""
