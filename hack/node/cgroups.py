"""The cgroups of one node, of either version: made before its pods, gone after them."""

import hashlib
import os
import time
from pathlib import Path

from controlplane.progress import ControlPlaneError

_MOUNT = Path("/sys/fs/cgroup")
_GONE_SECONDS = 20.0
_CONTROLLERS = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")  # kubelet insists on those of them that exist


def name(state: Path) -> str:
    """The cgroup of the node in ``state``: of its own, so that two nodes do not meet."""
    return f"drover-node-{hashlib.sha256(str(state).encode()).hexdigest()[:8]}"


def create(cgroup: str, mount: Path = _MOUNT) -> None:
    """Make the cgroup in every hierarchy there is. Raises ControlPlaneError where the kernel does not let us."""
    try:
        for root in hierarchies(mount):
            (root / cgroup).mkdir()
            if root == mount:
                _hand_down_controllers(root, root / cgroup)
            elif (root / "cpuset.cpus").exists():
                _fill_cpuset(root, root / cgroup)
    except OSError as error:
        raise ControlPlaneError(
            f"cannot make the cgroup {cgroup}: {error}. In a container, give it --privileged and --cgroupns=host"
        ) from error


def remove(cgroup: str) -> None:
    """Remove the cgroup and all below it; waits for processes that are ending. One that is not there is no error."""
    deadline = time.monotonic() + _GONE_SECONDS
    for root in hierarchies(_MOUNT):
        while (root / cgroup).exists():
            try:
                for directory, _, _ in os.walk(root / cgroup, topdown=False):
                    Path(directory).rmdir()
            except OSError as error:  # busy: killed processes take a moment to go
                if time.monotonic() > deadline:
                    raise ControlPlaneError(f"cannot remove {root / cgroup}: {error}") from error
                time.sleep(0.05)


def hierarchies(mount: Path) -> list[Path]:
    """The roots of cgroup hierarchies: one in version 2, one a controller in version 1."""
    if (mount / "cgroup.controllers").exists():
        return [mount]
    return sorted(root for root in mount.iterdir() if root.is_dir() and not root.is_symlink())


def _hand_down_controllers(root: Path, cgroup: Path) -> None:
    """In version 2 a cgroup has the controllers that the one above it enables."""
    available = (root / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{controller}" for controller in _CONTROLLERS if controller in available)
    for level in (root, cgroup):
        (level / "cgroup.subtree_control").write_text(wanted)


def _fill_cpuset(root: Path, cgroup: Path) -> None:
    """In version 1 a new cpuset is empty, and takes no process."""
    for setting in ("cpuset.cpus", "cpuset.mems"):
        (cgroup / setting).write_text((root / setting).read_text())
