"""Published Go programs that packaging and checks use: pinned here, built once into the cache.

``PYTHONPATH=hack python -m gotools helm`` prints the path of a program, building it first where need be.
"""

import argparse
import platform
from pathlib import Path

from controlplane import toolchain
from controlplane.assets import cache_dir, locked

PACKAGES = {
    "helm": ("helm.sh/helm/v4/cmd/helm", "v4.3.0"),
    "helm-docs": ("github.com/norwoodj/helm-docs/cmd/helm-docs", "v1.14.2"),
    "actionlint": ("github.com/rhysd/actionlint/cmd/actionlint", "v1.7.7"),
    "containerd": ("github.com/containerd/containerd/v2/cmd/containerd", "v2.4.2"),
    "containerd-shim-runc-v2": ("github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", "v2.4.2"),
    "ctr": ("github.com/containerd/containerd/v2/cmd/ctr", "v2.4.2"),
}
"""Program: its package, and the release of its module."""


def find(program: str) -> Path:
    """The path of a program of PACKAGES in the release that is pinned: what is on PATH may be any other.

    Raises ControlPlaneError where it cannot be built.
    """
    package, version = PACKAGES[program]
    cache = cache_dir()
    directory = cache / "gotools" / f"{program}-{version}-{platform.system()}-{platform.machine()}".lower()
    with locked(cache):
        if not (directory / program).exists():
            directory.mkdir(parents=True, exist_ok=True)
            toolchain.install(package, version, directory, cache)
    return directory / program


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="gotools", description=__doc__.partition("\n")[0])
    parser.add_argument("program", choices=PACKAGES)
    print(find(parser.parse_args().program))
