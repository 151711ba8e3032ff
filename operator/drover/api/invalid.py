"""What is wrong with a value that its model refuses."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError


class Fault(NamedTuple):
    """Of several the first."""

    field: str
    """As ``spec.cpu.guest``; empty for the whole."""
    why: str

    def __str__(self) -> str:
        return f"{self.field}: {self.why}" if self.field else self.why


def fault_of(error: ValidationError) -> Fault:
    first = error.errors(include_url=False)[0]
    why = "unknown field; leave it out" if first["type"] == "extra_forbidden" else first["msg"]
    return Fault(".".join(map(str, first["loc"])), why)
