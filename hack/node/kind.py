"""The same command on a kind cluster, where there is a Docker engine."""

import os
import subprocess
from pathlib import Path

import gotools
from controlplane import foreign
from controlplane.assets import find_kubectl
from controlplane.progress import output_of, say, step
from node import state as states
from node.supervisor import NOT_FOUND, exit_code

_LOAD_SECONDS = 600.0


def run(state: Path, images: list[Path], command: list[str]) -> int:
    """Run ``command`` with the KUBECONFIG of a new kind cluster that has ``images``; returns its exit code."""
    state = state.resolve()
    foreign.require_kind()
    kubectl, helm = find_kubectl(), gotools.find("helm")
    name = foreign.kind_name(state)
    with states.claimed(state):
        states.begin(state)
        foreign.stop_kind(name)
        try:
            foreign.start_kind(kubectl, name, state / "kubeconfig")
            for image in images:
                with step(f"loading {image.name}"):
                    load = ["kind", "load", "image-archive", str(image), f"--name={name}"]
                    output_of(load, f"PROVIDER=kind: {image}", _LOAD_SECONDS)
            path = os.pathsep.join([str(helm.parent), os.environ["PATH"], str(kubectl.parent)])
            environment = os.environ | {"KUBECONFIG": str(state / "kubeconfig"), "PATH": path, "E2E": "1"}
            return exit_code(subprocess.run(command, env=environment, check=False).returncode)
        except FileNotFoundError as error:
            say(f"{error.filename}: {error.strerror}")
            return NOT_FOUND
        finally:
            foreign.stop_kind(name)
            states.end(state, keep_logs=False)
