"""Structured logs: ``key=value`` for people, JSON for machines. What varies is in ``extra``, never in the message."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]
REPEAT_SECONDS = 60.0
FORGET_SECONDS = 2 * REPEAT_SECONDS
"""After which a complaint that comes again is a new one."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "k8s_skip", "settings"}


def configure(fmt: Format, level: Level) -> None:
    """Log to stderr from now on. Libraries are heard only where they warn, unless everything is asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if fmt == "json" else TextFormatter())
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if level != "debug":
        for library in ("asyncio", "aiohttp"):
            logging.getLogger(library).setLevel(logging.WARNING)
        # What stops Kopf comes back as an exception and is told once, in one line, by the caller.
        logging.getLogger("kopf").setLevel(logging.CRITICAL)


def fields(record: logging.LogRecord) -> dict[str, int | float | str]:
    """What was given as ``extra``: numbers as they are, everything else as text."""
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {name: value if isinstance(value, int | float) else str(value) for name, value in given.items()}


class Sparing(logging.Filter):
    """Lets a complaint through once a minute, with how often it was ``repeated`` in between: an outage or a missing
    right meets every request. Two are one complaint where they differ in nothing but what is quoted, names above all.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[tuple[str, ...], tuple[float, int]] = {}
        """When each complaint was last let through, and how often it was held since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        unquoted = (re.sub(r'"[^"]*"', "", text) for text in (record.getMessage(), str(getattr(record, "error", ""))))
        complaint = (record.name, *unquoted)
        now = self._clock()
        at, held = self._told.get(complaint, (float("-inf"), 0))
        if now - at < REPEAT_SECONDS:
            self._told[complaint] = at, held + 1
            return False
        if held:
            record.repeated = held
        self._told = {one: told for one, told in self._told.items() if now - told[0] < FORGET_SECONDS}
        self._told[complaint] = now, 0
        return True


class TextFormatter(logging.Formatter):
    """``12:00:00.123 INFO message key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        pairs = [f"{name}={_quoted(str(value))}" for name, value in fields(record).items()]
        return " ".join([clock, record.levelname, record.getMessage(), *pairs]) + self._trace(record)

    def _trace(self, record: logging.LogRecord) -> str:
        return "\n" + self.formatException(record.exc_info) if record.exc_info else ""


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _quoted(value: str) -> str:
    return json.dumps(value) if not value or any(c in value for c in ' "=\n') else value
