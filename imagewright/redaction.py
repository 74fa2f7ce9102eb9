"""What a key looks like and what inputs that hold keys are called: known here, for flows, pictures, traces and logs.

Three things give a key away: its form, where a service gives its keys one (``sk-…``, ``github_pat_…``, a JSON web
token, a password in an address); the name of the input or variable that holds it (``api_key``, ``authToken``); and
being the value of such a variable of this process. A key without a form, such as Civitai's 32 hex digits, is known by
the name that it stands under alone: so many digits are a checksum as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

_FORMS = {
    "OpenAI, Anthropic, Stability, OpenRouter": r"sk-(?:[\w-]{16,}|(?=[\w-]*\d)[\w-]{6,}|[\w-]*\*[\w*-]+)",
    "Stripe": r"[sr]k_(?:live|test)_\w{10,}",
    "GitHub": r"gh[pousr]_\w{20,}|github_pat_\w{20,}",
    "GitLab": r"glpat-[\w-]{16,}",
    "Slack": r"xox[abeprs]-[\w-]{10,}|xapp-[\w-]{10,}",
    "Hugging Face": r"hf_[A-Za-z0-9]{16,}",
    "Replicate": r"r8_[A-Za-z0-9]{16,}",
    "AWS": r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    "Google": r"AIza[\w-]{30,}|ya29\.[\w-]{20,}",
    "Groq, xAI, NVIDIA, Perplexity": r"gsk_\w{20,}|xai-[\w-]{20,}|nvapi-[\w-]{20,}|pplx-\w{20,}",
    "JSON web token": r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}",
}
"""The forms that services give their keys, each at the beginning of a word."""
_FORM = re.compile(r"\b(?<![\w-])(?:" + "|".join(_FORMS.values()) + ")")
_PLACE = re.compile(
    r"(?P<before>(?i:\bauthorization[\"']?\s*[:=]\s*[\"']?(?:[a-z]+\s+)?|\bbearer\s+(?=[\w.~+/-]{16})|"
    r"\bbasic\s+(?=[a-z+/]*[0-9=])(?=[\w+/]{12})|"
    r"[?&](?:api[_-]?key|apikey|key|(?:access_|auth_)?token|secret|password|(?:x-amz-)?signature)=|"
    r"\b[a-z][a-z0-9+.-]{0,20}://(?=[^\s/@]{1,300}:[^\s/@]{0,300}@)))[^\s\"'&,;/@]+(?:/[\w+/=-]+)?"
)
"""A key by what stands before it: a header, a query of an address, the user and password of an address."""
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.S)
_SERVICE = re.compile(r"\bkey-[\w*-]{6,}|(?<=Bearer )\S+", re.IGNORECASE)
"""What services write of keys when they refuse them; too common in prompts to look for there."""

_ALWAYS = frozenset(
    "apikey apikeys secret secrets password passwd passphrase pwd credential credentials authorization".split()
)
_BEFORE_KEY = frozenset(
    "api access secret private auth authentication account service client subscription license licence encryption "
    "signing bearer openai anthropic openrouter hf huggingface stability civitai replicate google gemini azure aws fal "
    "groq together mistral deepseek xai github gitlab slack".split()
)
"""``api_key`` is a key; ``key``, ``key_color`` and ``sort_key`` are none."""
_WORDS_OF_TEXT = frozenset(
    "eos bos pad unk sep cls mask special trigger placeholder class stop start end image text prompt next first last "
    "per separator instance initializer".split()
)
"""``eos_token`` is a token of a text; ``hf_token`` and ``token`` alone are keys."""
_IN_VARIABLES = frozenset(
    "key apikey token secret password passwd passphrase credential credentials authorization pat".split()
)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
SHORTEST = 8
"""Characters of the shortest value of a variable that is looked for: a shorter one may be an ordinary word."""


# --- names ----------------------------------------------------------------------------------


def is_key_name(name: str) -> bool:
    """Whether an input of this name holds a key: ``api_key``, ``authToken``, ``password``; not ``max_tokens``."""
    parts = [part.lower() for part in _PART.findall(name)]
    if not parts:
        return False
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last in ("key", "keys"):
        return before in _BEFORE_KEY
    return last in _ALWAYS or (last == "token" and before not in _WORDS_OF_TEXT)


def secret_values(environ: Mapping[str, str], shortest: int = SHORTEST) -> dict[str, SecretStr]:
    """The variables that hold keys by their names, those of at least ``shortest`` characters."""
    return {
        name: SecretStr(value)
        for name, value in environ.items()
        if len(value) >= shortest and _IN_VARIABLES & {part.lower() for part in _PART.findall(name)}
    }


# --- texts ----------------------------------------------------------------------------------


def blank_text(text: str, own: Sequence[SecretStr] = (), mark: str = "") -> str:
    """``text`` with ``mark`` in place of each key of ``own`` and of everything that has the form of one."""
    for secret in sorted((secret.get_secret_value() for secret in own), key=len, reverse=True):
        if secret:
            text = text.replace(secret, mark)
    text = _PRIVATE.sub(lambda _: mark, text)
    return _PLACE.sub(lambda match: match["before"] + mark, _FORM.sub(lambda _: mark, text))


def blank_error(text: str, own: Sequence[SecretStr] = (), mark: str = "…") -> str:
    """The same for what a service says when it refuses a request, which may be a part of a key."""
    return _SERVICE.sub(lambda _: mark, blank_text(text, own, mark))


def blank_value(name: str, value: Any, own: Sequence[SecretStr] = ()) -> Any:
    """The value of the input ``name`` without keys, at any depth (its reader bounds that); links stay."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], int):
        return [blank_text(item, own) if isinstance(item, str) else item for item in value]
    if isinstance(value, list):
        return [blank_value(name, item, own) for item in value]
    if isinstance(value, dict):
        return {key: blank_value(key, item, own) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    return "" if is_key_name(name) else blank_text(value, own)
