"""Start programs that outlive us, recognise them later, and end them only if they are ours."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from controlplane.progress import ControlPlaneError

_GONE_SECONDS = 10.0
_EXEC_SECONDS = 0.2


def spawn(command: list[str], log: Path) -> int:
    """Start ``command`` in its own session (Ctrl-C at the terminal is not for it); returns its process id."""
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), log_flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)
    # For an instant after exec a process has no command line yet, and would be taken for one that has ended.
    deadline = time.monotonic() + _EXEC_SECONDS
    while not _command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.001)
    return pid


def running(pid: int, state: Path) -> bool:
    """Whether ``pid`` runs a program of the plane in ``state``: process ids are reused, paths are not."""
    _reap(pid)
    return f"{state}/" in _command_line(pid)


def kill(pid: int, state: Path) -> None:
    """Kill a process of ours and wait until it is gone; one that is not ours is left alone.

    SIGKILL at once: the data is deleted next, there is nothing to save by waiting.
    """
    if not running(pid, state):
        return
    os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)  # started by this very Python process: not gone before it is waited for
        return
    deadline = time.monotonic() + _GONE_SECONDS
    while running(pid, state):
        if time.monotonic() > deadline:
            raise ControlPlaneError(f"process {pid} is still there {_GONE_SECONDS:.0f} s after SIGKILL")
        time.sleep(0.01)


def _reap(pid: int) -> None:
    """Collect an ended child, should ``pid`` be one of this very Python process."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _command_line(pid: int) -> str:
    """The command line of a process; empty when it is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    ps = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout
