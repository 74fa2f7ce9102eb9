"""What the environment and the settings file say, by pydantic-settings; ``settings`` makes ``Settings`` of it.

Imported only when settings are loaded: pydantic-settings brings argparse and asyncio with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from imagewright.errors import BadInput

PREFIX = "IMAGEWRIGHT_"


class GivenSettings(BaseSettings):
    """The settings as they are given: ``IMAGEWRIGHT_<FIELD>`` first, then the file, then the default here."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, coerce_numbers_to_str=True)

    home: Path | None = None
    models: Annotated[tuple[Path, ...], NoDecode] = ()
    device: str = "auto"
    llm: str | None = None
    llm_seconds: float = Field(default=60.0, gt=0, lt=86_400)
    llm_cache: bool = True
    model_cache: int = Field(default=2, ge=1)
    learn_critic: bool = False
    polish: bool = False
    rules: str = ""
    embedder: str = ""
    explore: bool = False
    keys: Path | None = None

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


class _Said(PydanticBaseSettingsSource):
    """Values by field: of the environment, of the file."""

    def __init__(self, settings_cls: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = dict(values)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def read_given(environ: Mapping[str, str], table: Mapping[str, Any], file: Path) -> GivenSettings:
    """The settings that ``environ`` and the ``table`` of ``file`` give; an empty variable gives none.

    Raises:
        BadInput: a value is of the wrong type or out of range; the message names the variable or the file.
    """
    variables = say_environment(environ)

    class Given(GivenSettings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return _Said(settings_cls, variables), _Said(settings_cls, table)

    try:
        return Given()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = f"{PREFIX}{name.upper()}"
        where = variable if name in variables else f"{name} in {file}"
        remedy = f"unset {variable} for the default" if name in variables else "mend the settings file"
        message = f"{where} cannot be {str(first['input'])[:80]!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise BadInput(message, remedy) from None


def say_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The fields that ``environ`` states."""
    named = {name: environ.get(f"{PREFIX}{name.upper()}") for name in GivenSettings.model_fields}
    return {name: value for name, value in named.items() if value}
