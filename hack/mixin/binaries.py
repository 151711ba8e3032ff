"""Where promtool and prometheus come from: PATH, or Debian's package unpacked into the cache (no root needed)."""

import shutil
import subprocess
from pathlib import Path

from controlplane.assets import cache_dir, locked
from controlplane.progress import step

PACKAGE = "prometheus"
PROGRAMS = ("promtool", "prometheus")


class MissingProgramError(RuntimeError):
    """A program is not here and cannot be had; the message says what to install."""


def find(program: str) -> Path:
    """The path of ``promtool`` or ``prometheus``. Raises MissingProgramError."""
    on_path = shutil.which(program)
    if on_path:
        return Path(on_path)
    cache = cache_dir()
    directory = cache / "prometheus"
    with locked(cache):
        if not (directory / program).exists():
            _unpack(directory, program)
    return directory / program


def _unpack(directory: Path, program: str) -> None:
    """Debian's binaries are linked statically but for libc, so that they run from anywhere."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise MissingProgramError(f"{program} is not on PATH: install Prometheus 2.42 or newer (it brings promtool)")
    unfinished = directory.with_name(".prometheus.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with step(f"downloading Debian's package {PACKAGE}"):
        done = _download(unfinished) if _has_lists() else _download(unfinished, *_own_lists(unfinished))
        archives = list(unfinished.glob("*.deb"))
        if done.returncode or not archives:
            why = done.stderr.strip().splitlines()[-1:] or ["no package"]
            raise MissingProgramError(
                f"{program} is not on PATH, and apt-get download {PACKAGE} failed ({why[0]}): "
                f"run apt-get update, or apt-get install {PACKAGE} as root"
            )
        subprocess.run(["dpkg-deb", "-x", archives[0].name, "root"], cwd=unfinished, check=True)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name in PROGRAMS:
        (unfinished / "root" / "usr" / "bin" / name).replace(directory / name)
    shutil.rmtree(unfinished)


def _has_lists() -> bool:
    """Whether apt knows the package; on a machine made from a slim image it knows none."""
    shown = subprocess.run(["apt-cache", "show", PACKAGE], capture_output=True, check=False)
    return shown.returncode == 0 and bool(shown.stdout)


def _own_lists(directory: Path) -> tuple[str, ...]:
    """Options with which apt keeps its lists here, where no root is needed, once it has fetched them."""
    state, cache = directory / "state", directory / "cache"
    (state / "lists" / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    places = {"Dir::State": state, "Dir::State::status": Path("/var/lib/dpkg/status"), "Dir::Cache": cache}
    options = tuple(part for name, place in places.items() for part in ("-o", f"{name}={place}"))
    subprocess.run(["apt-get", "-q", *options, "update"], capture_output=True, check=False)
    return options


def _download(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", *options, "download", PACKAGE], cwd=directory, capture_output=True, text=True, check=False
    )
