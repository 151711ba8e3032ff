"""Who wrote what, as the API server's own audit log tells."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from running import eventually

OPERATOR = "drover/"


@dataclass(frozen=True)
class Write:
    """One write that the API server answered."""

    verb: str
    resource: str
    namespace: str
    name: str
    subresource: str
    code: int


class Audit:
    """Reads the log of one control plane from wherever it last was."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0

    def mark(self) -> None:
        """Forget what was written so far."""
        self._offset = self._log.stat().st_size

    def writes(self) -> list[Write]:
        """The operator's writes since the mark."""
        with self._log.open("rb") as log:
            log.seek(self._offset)
            whole_lines = log.read().rpartition(b"\n")[0].splitlines()
        events = [json.loads(line) for line in whole_lines]
        return [_write(event) for event in events if event["userAgent"].startswith(OPERATOR)]

    def await_silence(self, seconds: float, patience: float = 30.0) -> None:
        """Wait until the operator has written nothing for so long."""
        since = [time.monotonic(), 0.0]

        def silent() -> bool:
            count = len(self.writes())
            if count != since[1]:
                since[:] = [time.monotonic(), count]
            return time.monotonic() - since[0] >= seconds

        eventually(silent, patience, lambda: f"it goes on writing: {self.writes()[-10:]}")


def _write(event: dict[str, dict[str, str]]) -> Write:
    about = event["objectRef"]
    return Write(
        verb=str(event["verb"]),
        resource=about["resource"],
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        subresource=about.get("subresource", ""),
        code=int(event["responseStatus"]["code"]),
    )
