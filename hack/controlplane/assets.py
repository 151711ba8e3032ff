"""Where the programs come from: KUBEBUILDER_ASSETS, a published envtest archive, or a build from Go."""

import fcntl
import hashlib
import os
import platform
import shutil
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controlplane import toolchain
from controlplane.progress import ControlPlaneError, say, step

_CONNECT_SECONDS = 5
_SERVERS = ("etcd", "kube-apiserver")


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs of one control plane, and where they came from."""

    source: str
    etcd: Path
    apiserver: Path
    controller_manager: Path
    kubectl: Path


def find_binaries() -> Binaries:
    """The first source that works wins; what is missing there is built and cached.

    Raises ControlPlaneError when a program can neither be found nor built.
    """
    cache = cache_dir()
    with locked(cache):
        source, servers = _servers(cache)
        return Binaries(
            source,
            servers / "etcd",
            servers / "kube-apiserver",
            _found_or_built("kube-controller-manager", servers, cache),
            _kubectl(servers, cache),
        )


def find_kubectl() -> Path:
    """A kubectl for a cluster that brings its own control plane: the one on PATH, else a built one."""
    cache = cache_dir()
    with locked(cache):
        return _kubectl(_build_dir(cache), cache)


def build_programs(*programs: str) -> Path:
    """The directory of these programs of go.mod, all of one release; what is missing there is built."""
    cache = cache_dir()
    with locked(cache):
        directory = _build_dir(cache)
        for program in programs:
            _found_or_built(program, directory, cache)
        return directory


def cache_dir() -> Path:
    """``drover`` in the user's cache directory, created when absent."""
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drover"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold an exclusive lock on a directory, so that two sessions never build or start the same thing."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _servers(cache: Path) -> tuple[str, Path]:
    """(where from, directory) of etcd and kube-apiserver."""
    if named := os.environ.get("KUBEBUILDER_ASSETS"):
        if _complete(Path(named)):
            return f"KUBEBUILDER_ASSETS={named}", Path(named)
        say(f"KUBEBUILDER_ASSETS={named} lacks {' or '.join(_SERVERS)}: passed over")
    if url := os.environ.get("ENVTEST_ASSETS_URL"):
        try:
            return f"envtest archive {url}", _envtest(url, cache)
        except (OSError, tarfile.TarError, ControlPlaneError) as error:
            say(f"ENVTEST_ASSETS_URL={url}: {error}: passed over")
    directory = _build_dir(cache)
    for program in _SERVERS:
        _found_or_built(program, directory, cache)
    return f"Kubernetes {toolchain.kubernetes_version()} built from Go modules", directory


def _envtest(url: str, cache: Path) -> Path:
    """Download and unpack the servers and kubectl of an envtest archive, once a URL."""
    directory = cache / f"envtest-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    if _complete(directory):
        return directory
    unfinished = directory.with_name(f".{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    with (
        step(f"downloading {url}"),
        urllib.request.urlopen(url, timeout=_CONNECT_SECONDS) as response,
        tarfile.open(fileobj=response, mode="r|gz") as archive,
    ):
        for member in archive:
            name = Path(member.name).name
            content = archive.extractfile(member)
            if name in (*_SERVERS, "kubectl") and content is not None:
                with (unfinished / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
                (unfinished / name).chmod(0o755)
    if not _complete(unfinished):
        raise ControlPlaneError(f"the archive lacks {' or '.join(_SERVERS)}")
    shutil.rmtree(directory, ignore_errors=True)
    unfinished.replace(directory)
    return directory


def _kubectl(servers: Path, cache: Path) -> Path:
    on_path = shutil.which("kubectl")
    return Path(on_path) if on_path else _found_or_built("kubectl", servers, cache)


def _found_or_built(program: str, directory: Path, cache: Path) -> Path:
    if (directory / program).exists():
        return directory / program
    built = _build_dir(cache)
    if not (built / program).exists():
        toolchain.build(program, built, cache)
    return built / program


def _build_dir(cache: Path) -> Path:
    """One directory a go.mod and machine: a changed pin builds anew, the old one stays usable."""
    key = hashlib.sha256((toolchain.MODULE / "go.mod").read_bytes()).hexdigest()[:12]
    directory = cache / f"kubernetes-{key}-{platform.system()}-{platform.machine()}".lower()
    directory.mkdir(exist_ok=True)
    return directory


def _complete(directory: Path) -> bool:
    return all((directory / program).exists() for program in _SERVERS)
