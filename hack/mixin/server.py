"""A Prometheus of our own that scrapes operators as monitoring/prometheus.yaml says, for tests and pictures."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from mixin import binaries, rules

CONFIG = Path(__file__).parents[2] / "monitoring" / "prometheus.yaml"
START_SECONDS = 30.0
Series = dict[str, Any]
"""``metric`` and ``value`` or ``values``, as Prometheus answers."""


class QueryError(RuntimeError):
    """Prometheus refused a query; the message says why."""


class Prometheus:
    """As a context manager it is killed at the end."""

    def __init__(
        self, directory: Path, targets: list[str], interval: str = "1s", scrapes: list[dict[str, Any]] | None = None
    ) -> None:
        """``targets``: host:port of operators; ``directory``: an empty one, for its data and its log.

        ``scrapes``: scrape configurations in place of those of monitoring/prometheus.yaml.
        """
        config = yaml.safe_load(CONFIG.read_text())
        config["global"] = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
        config["scrape_configs"] = scrapes or config["scrape_configs"]
        for scrape in config["scrape_configs"]:
            scrape["static_configs"] = [{**part, "targets": targets} for part in scrape.get("static_configs", [{}])]
        (directory / "rules.yaml").write_text(rules.render_plain())
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._log = directory / "prometheus.log"
        command = [
            *(str(binaries.find("prometheus")), f"--config.file={directory / 'prometheus.yaml'}"),
            *(f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={self.url.removeprefix('http://')}"),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise RuntimeError(f"Prometheus does not start:\n{self._log.read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def query(self, expression: str) -> list[Series]:
        """The series of an expression now. Raises QueryError."""
        return self._ask("query", query=expression)

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """The same over time, in Unix seconds."""
        return self._ask("query_range", query=expression, start=start, end=end, step=step)

    def _ask(self, what: str, **parameters: object) -> list[Series]:
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{what}", data=body, timeout=10) as answer:
                told = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryError(f"{parameters['query']}: {json.load(error)['error']}") from error
        found: list[Series] = told["result"]
        return [{"metric": {}, "value": found}] if told["resultType"] == "scalar" else found

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
