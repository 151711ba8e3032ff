"""Clusters we did not build: the one named by CONTEXT=, and kind in a Docker engine."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from controlplane.progress import ControlPlaneError, output_of, say, step

_DOCKER_SECONDS = 10
_KIND_SECONDS = 300


def use_context(kubectl: Path, context: str, kubeconfig: Path) -> str:
    """Copy one context of the user's kubeconfig to ``kubeconfig``; returns the URL of its server."""
    view = [str(kubectl), "config", "view", f"--context={context}", "--minify", "--flatten", "--raw"]
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(output_of(view, f"CONTEXT={context}"))
    of_context = [str(kubectl), f"--kubeconfig={kubeconfig}"]
    output_of([*of_context, "get", "--raw=/readyz", "--request-timeout=10s"], f"CONTEXT={context}")
    server = [*of_context, "config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]
    return output_of(server, f"CONTEXT={context}").strip()


def kind_name(state: Path) -> str:
    """A kind cluster's name of its own for each state directory."""
    return f"drover-{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:8]}"


def require_kind() -> None:
    """Raise ControlPlaneError where kind cannot work."""
    if shutil.which("kind") is None:
        raise ControlPlaneError("PROVIDER=kind: there is no kind on PATH")
    if not _docker_answers():
        raise ControlPlaneError("PROVIDER=kind: no Docker engine answers (try `docker info`)")


def start_kind(kubectl: Path, name: str, kubeconfig: Path) -> str:
    """Create a kind cluster and write its kubeconfig; returns the server's URL."""
    create = ["kind", "create", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig}", "--wait=120s"]
    with step(f"creating kind cluster {name}"):
        output_of(create, "PROVIDER=kind", timeout=_KIND_SECONDS)
    server = [str(kubectl), f"--kubeconfig={kubeconfig}", "config", "view", "-o"]
    return output_of([*server, "jsonpath={.clusters[0].cluster.server}"], "PROVIDER=kind").strip()


def stop_kind(name: str) -> None:
    """Delete a kind cluster; one that does not exist is no error."""
    if shutil.which("kind") is None or not _docker_answers():
        say(f"no kind or no Docker engine: the kind cluster {name}, if it was ever made, is still there")
        return
    output_of(["kind", "delete", "cluster", f"--name={name}", f"--kubeconfig={os.devnull}"], "kind")


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        return (
            subprocess.run([docker, "info"], capture_output=True, timeout=_DOCKER_SECONDS, check=False).returncode == 0
        )
    except subprocess.TimeoutExpired:
        return False
