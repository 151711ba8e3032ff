"""One shell that goes through a page: variables last from command to command, the folder is the repository.

Three kinds of commands are known by their looks: ``drover run`` stays in the background until the end, a watch
(``-w``) is looked at for a moment, and what reads (``kubectl get``) is repeated until it prints what the page shows.
"""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from controlplane.progress import tail
from docrun.blocks import Command, Where, blocks
from docrun.shown import missing

_SCRIPT = 'trap \'env -0 >"$ENVIRONMENT_FILE"\' EXIT; set -euo pipefail; eval "$1"'
_OPERATOR = re.compile(r"\bdrover run\b")
_WATCH = re.compile(r"\s(-w|--watch)\b")
_READS = re.compile(
    r"^(kubectl (get|describe|auth can-i)\b|(\S*drover|kubectl drover) (status|top|explain|events|usage)\b|curl )"
)
_JUDGES = re.compile(r"drover status\b")
_OPERATOR_PORT = "8080"
_OPERATOR_LOG = "operator.log"
_WATCH_SECONDS = 3.0
_COMMAND_SECONDS = 120.0
_SHOWN_SECONDS = 60.0
_OPERATOR_SECONDS = 60.0
_POLL_SECONDS = 0.5


class UnexpectedError(AssertionError):
    """A command did not do what its page says; the message has the page's line and the output."""


class Session:
    """Executes commands; at its end what was started in the background is stopped."""

    def __init__(self, page: str, root: Path, environment: Mapping[str, str], scratch: Path, port: int) -> None:
        """``page``: its path below ``root``. ``scratch``: a folder for the session's own files.

        ``port`` stands for the operator's 8080, which may be taken.
        """
        self._page = page
        self._root = root
        self._environment = dict(environment)
        self._scratch = scratch
        self._port = str(port)
        self._background: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._background:
            _end_group(process)

    def run_page(self, where: Where) -> int:
        """Execute the commands that the page has for one place, in order; returns how many there are."""
        page = blocks((self._root / self._page).read_text())
        commands = [command for block in page if block.where == where for command in block.commands]
        for command in commands:
            self.run(command)
        return len(commands)

    def run(self, command: Command) -> None:
        """Execute one command. Raises UnexpectedError where it fails, or never prints what is shown."""
        text = command.text.replace(f"localhost:{_OPERATOR_PORT}", f"localhost:{self._port}")
        if _OPERATOR.search(text):
            self._stay(command, text)
        elif _WATCH.search(text):
            self._execute(command, text, _WATCH_SECONDS)
        elif command.shown:
            self._show(command, text)
        else:
            self._execute(command, text)

    def _show(self, command: Command, text: str) -> None:
        patience = _SHOWN_SECONDS if _READS.match(text) else 0.0
        deadline = time.monotonic() + patience
        while (failure := self._failure_to_show(command, text)) is not None:
            if time.monotonic() > deadline:
                raise failure
            time.sleep(_POLL_SECONDS)

    def _failure_to_show(self, command: Command, text: str) -> UnexpectedError | None:
        try:
            printed = self._execute(command, text)
        except UnexpectedError as error:
            return error
        left = missing(command.shown, printed)
        return self._unexpected(command, "does not print\n" + "\n".join(left), printed) if left else None

    def _execute(self, command: Command, text: str, watched: float = 0.0) -> str:
        """What it prints. ``watched``: seconds after which it is ended, and has done well."""
        log = self._scratch / "output"
        process = self._start(text, log)
        try:
            ended = str(process.wait(watched or _COMMAND_SECONDS))
        except subprocess.TimeoutExpired:
            _end_group(process)
            ended = "0" if watched else "no answer"
        if text.endswith("&"):
            self._background.append(process)
        else:
            self._remember()
        printed = log.read_text(errors="replace")
        if ended != "0" and not (ended == "1" and _JUDGES.search(text)):
            raise self._unexpected(command, f"ended with {ended}", printed)
        return printed

    def _stay(self, command: Command, text: str) -> None:
        """The operator, until it leads."""
        before_comment = text.partition("#")[0].rstrip()
        log = self._scratch / _OPERATOR_LOG
        process = self._start(f"exec {before_comment} --metrics-port={self._port}", log)
        self._background.append(process)
        deadline = time.monotonic() + _OPERATOR_SECONDS
        while not self._leads():
            if process.poll() is not None or time.monotonic() > deadline:
                raise self._unexpected(command, "does not lead", "nothing")
            time.sleep(_POLL_SECONDS)

    def _leads(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5) as page:
                return bool(json.load(page)["role"] == "leading")
        except OSError:
            return False

    def _start(self, text: str, log: Path) -> subprocess.Popen[bytes]:
        environment = {**self._environment, "ENVIRONMENT_FILE": str(self._scratch / "environment")}
        with log.open("wb") as output:
            return subprocess.Popen(
                ["bash", "-c", _SCRIPT, "bash", text],
                cwd=self._root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _remember(self) -> None:
        """The variables as the command left them."""
        file = self._scratch / "environment"
        if file.exists():
            pairs = (entry.partition("=") for entry in file.read_text().split("\0") if entry)
            self._environment = {name: value for name, _, value in pairs}

    def _unexpected(self, command: Command, what: str, printed: str) -> UnexpectedError:
        told = f"{self._page}:{command.line}: `{command.text}` {what}\n--- it printed:\n{printed}"
        log = self._scratch / _OPERATOR_LOG
        return UnexpectedError(f"{told}\n--- the operator's last lines:\n{tail(log)}" if log.exists() else told)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
