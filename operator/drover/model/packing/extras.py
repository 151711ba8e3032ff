"""Libraries the operator runs without."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def optional(module: str, extra: str) -> ModuleType:
    """The module. Raises ModuleNotFoundError naming the extra to install where it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed: pip install 'drover[{extra}]' brings it", name=error.name
        ) from error
