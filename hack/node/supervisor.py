"""Process 1 of the node: it starts the components, notices the end of one, and waits for the command."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from controlplane import processes
from controlplane.progress import ControlPlaneError, say, tail

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.1
NOT_FOUND = 127  # in a shell, too


def exit_code(code: int) -> int:
    """What a shell makes of Python's exit code of a process: 128 + N where signal N ended it."""
    return code if code >= 0 else 128 - code


class Supervisor:
    """The children of process 1. Orphans that become its children are reaped and are no news."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._names: dict[int, str] = {}

    def start(self, name: str, command: list[str]) -> None:
        """Start a component, with its output in LOGS/NAME.log."""
        self._names[processes.spawn(command, self._logs / f"{name}.log")] = name

    def wait_until(self, ready: Callable[[], bool], what: str) -> None:
        """Poll ``ready``; ControlPlaneError with the end of a log when a component ends, or all when time runs out."""
        deadline = time.monotonic() + _READY_SECONDS
        while not ready():
            self._raise_for(os.waitpid(-1, os.WNOHANG))
            if time.monotonic() > deadline:
                logs = "\n".join(f"{name}:\n{self._tail(name, 5)}" for name in self._names.values())
                raise ControlPlaneError(f"{what} after {_READY_SECONDS:.0f} s; the components' last lines:\n{logs}")
            time.sleep(_POLL_SECONDS)

    def run(self, command: list[str]) -> int:
        """Run a command in the foreground; returns its exit code as a shell has it.

        Raises ControlPlaneError when a component ends before it.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
        try:
            pid = os.posix_spawnp(command[0], command, os.environ, setsigdef=[signal.SIGINT])
        except OSError as error:
            say(f"{command[0]}: {error.strerror}")
            return NOT_FOUND
        while True:
            ended, status = os.waitpid(-1, 0)
            if ended == pid:
                return exit_code(os.waitstatus_to_exitcode(status))
            self._raise_for((ended, status))

    def _raise_for(self, ended: tuple[int, int]) -> None:
        """``ended``: (process id, wait status) of a child, as waitpid returns it; (0, 0) for none."""
        name = self._names.get(ended[0])
        if name is not None:
            code = exit_code(os.waitstatus_to_exitcode(ended[1]))
            raise ControlPlaneError(f"{name} ended with exit code {code}; its last lines:\n{self._tail(name)}")

    def _tail(self, name: str, lines: int = 20) -> str:
        return tail(self._logs / f"{name}.log", lines)
