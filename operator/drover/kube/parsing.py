"""From raw objects to typed ones. One that does not parse is told of and skipped; it must not stop the others."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import ValidationError

from drover.api import kinds
from drover.api.invalid import fault_of
from drover.api.meta import AnyResource, Key

log = logging.getLogger(__name__)


class Parser:
    """Parses, and remembers what it has complained about, so that a complaint is made once a resourceVersion."""

    def __init__(self) -> None:
        self._told: dict[Key, str] = {}

    def parse(self, kind: str, raw: dict[str, Any]) -> AnyResource | None:
        """The typed object, or None where it does not parse."""
        try:
            resource = kinds.parse({**raw, "kind": kind})
        except ValidationError as error:
            self._complain(key_of(kind, raw), raw, error)
            return None
        self._told.pop(resource.key, None)
        return resource

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._told.pop(key, None)

    def _complain(self, key: Key, raw: dict[str, Any], error: ValidationError) -> None:
        version = raw["metadata"].get("resourceVersion", "")
        if self._told.get(key) == version:
            return
        self._told[key] = version
        fault = fault_of(error)
        log.error("object skipped: it does not parse", extra={"key": key, "field": fault.field, "error": fault.why})


def key_of(kind: str, raw: dict[str, Any]) -> Key:
    metadata = raw["metadata"]
    return Key(kind, metadata.get("namespace", ""), metadata["name"])
