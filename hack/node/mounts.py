"""The mounts of the node's own namespace: what its components write beside ROOT goes to memory, and ends with them."""

import os
from pathlib import Path

from controlplane.progress import output_of
from node.configs import KERNEL_TUNABLES, ROOT


def make_private(state: Path) -> None:
    """Bind ``state`` to ROOT and hide the places of the machine that kubelet and the CNI library write to."""
    _shadow(Path("/var/lib"), state / "shadow")  # the CNI library keeps results in /var/lib/cni, and nothing moves that
    for place in ("/run", "/var/log"):
        _mount("-t", "tmpfs", "tmpfs", place)
    ROOT.mkdir()
    _mount("--bind", str(state), str(ROOT))
    Path("/run/lock").mkdir()
    _pretend_tunables(ROOT / "tunables")


def _shadow(directory: Path, stage: Path) -> None:
    """Make ``directory`` one in memory that shows all that was in it: what is added to it is not added to the disk."""
    stage.mkdir()
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(stage))
    for entry in os.scandir(directory):
        shown = stage / entry.name
        if entry.is_symlink():
            shown.symlink_to(os.readlink(entry.path))
        elif entry.is_dir():
            shown.mkdir()
            _mount("--rbind", entry.path, str(shown))
        else:
            shown.touch()
            _mount("--bind", entry.path, str(shown))
    _mount("--move", str(stage), str(directory))


def _pretend_tunables(directory: Path) -> None:
    """Let kubelet read that the kernel is set as it wants it, so that it sets nothing that outlives it."""
    for name, value in KERNEL_TUNABLES.items():
        tunable = Path("/proc/sys") / name
        if tunable.exists():
            pretended = directory / name
            pretended.parent.mkdir(parents=True, exist_ok=True)
            pretended.write_text(f"{value}\n")
            _mount("--bind", str(pretended), str(tunable))


def _mount(*arguments: str) -> None:
    output_of(["mount", *arguments], f"mount {' '.join(arguments)}")
