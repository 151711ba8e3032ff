"""The operator as a process beside the demo: ``drover run``, its log in a file, asked over HTTP."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from controlplane.progress import tail

DROVER = Path(sys.executable).with_name("drover")
_SERVING = re.compile(r"serving .* url=http://[^:]+:(\d+)")
_POLL_SECONDS = 0.05


class OperatorError(RuntimeError):
    """The operator did not start; the message has the end of its log."""


class OperatorProcess:
    """``drover run`` against one cluster, started at once."""

    def __init__(self, kubeconfig: Path, log: Path) -> None:
        self.log = log
        command = [str(DROVER), "run", f"--kubeconfig={kubeconfig}", "--metrics-port=0"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def await_leading(self, seconds: float = 60.0) -> None:
        """Wait until it leads. Raises OperatorError when it ends before, or takes too long."""
        deadline = time.monotonic() + seconds
        while not self._leads():
            if self._process.poll() is not None:
                raise OperatorError(f"the operator ended; its last lines:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise OperatorError(f"the operator does not lead after {seconds:.0f} s:\n{tail(self.log)}")
            time.sleep(_POLL_SECONDS)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def address(self) -> str:
        """host:port of its pages. Raises OSError before it has told."""
        return self._url().removeprefix("http://")

    def requests(self) -> dict[tuple[str, str], int]:
        """Requests answered so far, by (verb, plural), as its own metrics count them."""
        with urllib.request.urlopen(f"{self._url()}/metrics", timeout=10) as page:
            return requests_on(page.read().decode())

    @property
    def whereabouts(self) -> str:
        return f"process {self.pid}, log {self.log}"

    @property
    def ending(self) -> str:
        """The shell command that ends it."""
        return f"kill {self.pid}; "

    def stop(self) -> int:
        """SIGTERM, and SIGKILL where that does not do; returns its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _leads(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url()}/readyz", timeout=5) as page:
                return bool(json.load(page)["role"] == "leading")
        except OSError:
            return False

    def _url(self) -> str:
        """Where it serves, as its log tells. Raises OSError before it has told."""
        serving = _SERVING.search(self.log.read_text(errors="replace"))
        if serving is None:
            raise ConnectionError("not serving yet")
        return f"http://127.0.0.1:{serving[1]}"


def requests_on(page: str) -> dict[tuple[str, str], int]:
    """Requests by (verb, plural), as the text of a /metrics page counts them."""
    counted: dict[tuple[str, str], int] = {}
    for line in page.splitlines():
        if line.startswith("drover_api_requests_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            key = (labels["verb"], labels["resource"])
            counted[key] = counted.get(key, 0) + int(float(line.rpartition(" ")[2]))
    return counted
