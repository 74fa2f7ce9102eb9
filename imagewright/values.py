"""What every value is: frozen and strict; and what several shapes are that a tag tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, model_validator


class Value(BaseModel):
    """The base of all our values: frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tagged(Value):
    """The root of a union: whoever makes or reads one by its root gets the variant that the tag names.

    A variant has the fields that it uses and no others. Before there were variants, one class held the fields of all;
    what such a value has beside the fields of its variant (``once``) is left out where it is read.
    """

    tag: ClassVar[str]
    """The field that tells the variants apart."""
    once: ClassVar[frozenset[str]] = frozenset()
    """The fields of the time when one class held them all."""

    def __new__(cls, **fields: Any) -> Self:
        """Make an object of the variant; pydantic then fills it."""
        return super().__new__(cls._fitting(fields))

    @classmethod
    def variants(cls) -> Mapping[str, type[Tagged]]:
        """The variants by tag: of a root that is not open to others, its subclasses that have a tag of their own."""
        return {shape.model_fields[cls.tag].default: shape for shape in _leaves(cls)}

    @classmethod
    def _is_root(cls) -> bool:
        return Tagged in cls.__bases__

    @classmethod
    def _fitting(cls, fields: Mapping[str, Any]) -> type[Self]:
        """The class of a value with ``fields``: the variant, or the root where there is none."""
        tag = fields.get(cls.tag) if cls._is_root() else None
        found = cls.variants().get(tag, cls) if isinstance(tag, str) else cls
        return found if issubclass(found, cls) else cls

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        fitting = cls._fitting(data)
        return handler(cls._used(data)) if fitting is cls else fitting.model_validate(data)

    @classmethod
    def _used(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """``data`` without what the variant has no use for; a root without variant keeps its own fields alone."""
        unused = set(data) if cls._is_root() else cls.once
        nothing = {name for name in cls.once if data.get(name) is None}
        return {name: data[name] for name in data if name not in nothing and name not in unused - set(cls.model_fields)}


def _leaves(root: type[Tagged]) -> list[type[Tagged]]:
    below = [leaf for shape in root.__subclasses__() for leaf in _leaves(shape)]
    return below or [root]
