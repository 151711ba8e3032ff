"""What happened in a simulation, in order: a hash of everything and the lines that came last."""

from __future__ import annotations

import hashlib
from collections import deque
from datetime import datetime

KEPT = 400


class Trace:
    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._last: deque[str] = deque(maxlen=KEPT)

    def add(self, now: datetime, words: str) -> None:
        line = f"{now.isoformat()[11:26]} {words}"
        self._digest.update(line.encode())
        self._last.append(line)

    @property
    def hash(self) -> str:
        """Equal for two runs exactly where the same things happened at the same instants."""
        return self._digest.hexdigest()

    def tail(self, lines: int = 60) -> str:
        return "\n".join(list(self._last)[-lines:])
