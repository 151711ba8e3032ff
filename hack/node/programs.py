"""The programs of the node, in one directory that can stand on PATH."""

from pathlib import Path

import gotools
from controlplane.assets import build_programs

_KUBERNETES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
)
_PUBLISHED = ("containerd", "containerd-shim-runc-v2", "ctr", "helm")


def link(directory: Path) -> None:
    """Fill ``directory`` with links to all programs, built first where need be (about 20 minutes on a new machine)."""
    built = build_programs(*_KUBERNETES)
    programs = [built / program for program in _KUBERNETES] + [gotools.find(program) for program in _PUBLISHED]
    directory.mkdir()
    for program in programs:
        (directory / program.name).symlink_to(program)
