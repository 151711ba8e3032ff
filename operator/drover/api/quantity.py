"""Wire types that are strings so that nothing is lost: quantity, exact ratio, duration, large integer."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Annotated, Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_SCALE: dict[str, Fraction] = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(factor) for suffix, factor in (_BINARY | _DECIMAL).items()},
}
_SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


class _Text(str):
    """A ``str`` of one pattern: validated when a model is read, a plain string on the wire."""

    PATTERN: ClassVar[str]
    MAX_LENGTH: ClassVar[int]

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) > cls.MAX_LENGTH or re.fullmatch(cls.PATTERN, text) is None:
            raise ValueError(f"{text!r} is not a {cls.__name__}: it must match {cls.PATTERN}")
        return super().__new__(cls, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(pattern=cls.PATTERN, max_length=cls.MAX_LENGTH)
        return core_schema.no_info_after_validator_function(cls, text)


@lru_cache(maxsize=4096)
def _quantity_value(text: str) -> Fraction:
    digits = text.rstrip("KMGTPEimk")
    return Fraction(digits) * _SCALE[text[len(digits) :]]


class Quantity(_Text):
    """A non-negative Kubernetes quantity, as written: ``"4Gi"``, ``"1.5Gi"``, ``"500m"``, ``"100M"``."""

    PATTERN = r"^[0-9]+(\.[0-9]+)?([KMGTPE]i|[mkMGTPE])?$"
    MAX_LENGTH = 32

    __slots__ = ()

    @property
    def value(self) -> Fraction:
        return _quantity_value(self)

    @property
    def bytes(self) -> int:
        """The exact value rounded up to a whole byte, as Kubernetes does."""
        return ceil(self.value)

    @property
    def milli(self) -> int:
        """Thousandths, rounded up: the unit of CPU."""
        return ceil(self.value * 1000)

    @classmethod
    def of_bytes(cls, count: int) -> Quantity:
        """``count`` bytes with the largest binary suffix that says it exactly."""
        for suffix, factor in reversed(_BINARY.items()):
            if count and count % factor == 0:
                return cls(f"{count // factor}{suffix}")
        return cls(str(count))

    @classmethod
    def of_milli(cls, count: int) -> Quantity:
        """``count`` thousandths: ``"4"`` or ``"3500m"``."""
        return cls(str(count // 1000) if count % 1000 == 0 else f"{count}m")


def human(count: int) -> str:
    """``count`` bytes for a message, to one decimal: ``"3.5Gi"``. Rounded; never for the wire."""
    for suffix, factor in reversed(_BINARY.items()):
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + suffix
    return str(count)


class Ratio(_Text):
    """A non-negative exact decimal, as written: ``"0.8"``, ``"4.0"``."""

    PATTERN = r"^[0-9]+(\.[0-9]{1,6})?$"
    MAX_LENGTH = 16

    __slots__ = ()

    @property
    def fraction(self) -> Fraction:
        return Fraction(self)


class Duration(_Text):
    """A Go duration, as written: ``"20s"``, ``"1m30s"``, ``"250ms"``."""

    PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
    MAX_LENGTH = 32

    __slots__ = ()

    @property
    def seconds(self) -> float:
        return float(sum(Fraction(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(self)))


BigInteger = Annotated[
    int,
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+$", "maxLength": 40}),
]
"""A count that passes 2**53 (byte-milliseconds do within hours): an int here, digits on the wire."""
