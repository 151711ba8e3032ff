"""The state directory of a node: claimed by one run at a time, swept of what an earlier one left."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.progress import ControlPlaneError

LOGS = "logs"
_MARKER = ".drover-node"  # nothing is ever deleted from a directory without it


@contextmanager
def claimed(state: Path) -> Iterator[None]:
    """Hold ``state``, as an earlier run left it, for one run.

    Raises ControlPlaneError where another run holds it, or where it is not a node's.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state, os.O_RDONLY)  # the kernel gives the lock back when we end, however that happens
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ControlPlaneError(f"a node runs in {state}: wait for it, or give this one another --state") from None
        if any(state.iterdir()) and not (state / _MARKER).exists():
            raise ControlPlaneError(f"{state} is not empty and holds no node: left alone")
        (state / _MARKER).touch()
        yield
    finally:
        os.close(descriptor)


def begin(state: Path) -> None:
    """Delete what an earlier run left, and make the directory of logs."""
    _empty(state, _MARKER)
    (state / LOGS).mkdir()


def end(state: Path, *, keep_logs: bool) -> None:
    """Delete ``state``, or all of it but the logs."""
    if keep_logs:
        _empty(state, _MARKER, LOGS)
    else:
        shutil.rmtree(state)


def _empty(directory: Path, *kept: str) -> None:
    for entry in directory.iterdir():
        if entry.name in kept:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
