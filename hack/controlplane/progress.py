"""What a person sees while waiting: one line a step, on stderr, with the seconds it took."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import STDOUT, Popen, TimeoutExpired

_HEARTBEAT_SECONDS = 30


class ControlPlaneError(RuntimeError):
    """The control plane cannot do what was asked; the message is for the person who asked."""


def say(message: str) -> None:
    """Print one progress line."""
    print(f"controlplane: {message}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce ``what``, then say how many seconds it took; silent about the time when it fails."""
    print(f"controlplane: {what} ...", end="", file=sys.stderr, flush=True)
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", file=sys.stderr, flush=True)
        raise
    print(f" {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)


def run_with_heartbeat(command: Sequence[str], env: dict[str, str], log: Path, cwd: Path | None = None) -> None:
    """Run ``command`` with its output in ``log``, a sign of life on stderr every half minute.

    Raises ControlPlaneError with the end of the log when the command fails.
    """
    begun = time.monotonic()
    with log.open("wb") as output, Popen(command, env=env, cwd=cwd, stdout=output, stderr=STDOUT) as process:
        try:
            while True:
                try:
                    code = process.wait(timeout=_HEARTBEAT_SECONDS)
                    break
                except TimeoutExpired:
                    print(f" {time.monotonic() - begun:.0f} s ...", end="", file=sys.stderr, flush=True)
        except BaseException:
            process.kill()
            raise
    if code != 0:
        raise ControlPlaneError(f"{' '.join(command)} exited with {code}:\n{tail(log)}")


def output_of(command: Sequence[str], asked: str, timeout: float = 60.0, stdin: str = "") -> str:
    """What a command prints on stdout; ``timeout`` is in seconds.

    Raises ControlPlaneError with ``asked`` and what the command said on stderr when it fails.
    """
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except TimeoutExpired:
        raise ControlPlaneError(f"{asked}: {command[0]} was not done after {timeout:.0f} s") from None
    if done.returncode != 0:
        raise ControlPlaneError(f"{asked}: {done.stderr.strip()}")
    return done.stdout


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file, indented; empty when there is none."""
    if not log.exists():
        return ""
    return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
