"""What the node needs of its machine: Linux, root, and the programs of a few packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from controlplane.progress import ControlPlaneError, output_of, run_with_heartbeat, step
from node.configs import CNI_PLUGINS

# Program: Debian's package of it.
_PROGRAMS = {
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "runc": "runc",
}
_PLUGINS = ("bridge", "host-local", "loopback")
_PLUGIN_PACKAGE = "containernetworking-plugins"


def add_system_paths() -> None:
    """See the programs of an administrator also where PATH is a user's."""
    paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*paths, *(p for p in ("/usr/sbin", "/sbin") if p not in paths)])


def require_linux_and_root() -> None:
    """Raises ControlPlaneError with what to do where a node is impossible."""
    if sys.platform != "linux":
        raise ControlPlaneError(f"a node needs Linux, not {sys.platform}: use PROVIDER=kind")
    if os.geteuid() != 0:
        raise ControlPlaneError("a node needs root, for namespaces and mounts: use sudo -E, or PROVIDER=kind")


def provide_packages(log: Path) -> None:
    """Install what is missing where apt-get is there. Raises ControlPlaneError with the packages where that fails."""
    packages = missing_packages()
    if packages and shutil.which("apt-get"):
        _install(packages, log)
        packages = missing_packages()
    if packages:
        raise ControlPlaneError(
            f"a node needs what Debian has in the packages {' '.join(packages)} (CNI plugins are looked for in "
            f"{' and '.join(CNI_PLUGINS)}): install them, or use PROVIDER=kind"
        )


def require_namespaces() -> None:
    """Raises ControlPlaneError where not even root may make namespaces, as in most containers."""
    output_of(["unshare", "--net", "--mount", "--pid", "--fork", "true"], "in a container, a node needs --privileged")


def missing_packages() -> list[str]:
    """The Debian packages whose programs are not here, sorted."""
    missing = {package for program, package in _PROGRAMS.items() if not shutil.which(program)}
    if not all(any((Path(place) / plugin).exists() for place in CNI_PLUGINS) for plugin in _PLUGINS):
        missing.add(_PLUGIN_PACKAGE)
    return sorted(missing)


def _install(packages: list[str], log: Path) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    known = subprocess.run(["apt-cache", "show", *packages], capture_output=True, check=False)
    with step(f"installing {' '.join(packages)} with apt-get"):
        if known.returncode != 0:
            run_with_heartbeat(["apt-get", "-q", "update"], environment, log)
        install = ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages]
        run_with_heartbeat(install, environment, log)
