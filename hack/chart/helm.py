"""The pinned helm as a Python callable."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import gotools


class HelmError(RuntimeError):
    """helm exited with an error; ``stderr`` is what it said."""

    def __init__(self, command: tuple[str, ...], stderr: str) -> None:
        super().__init__(f"helm {' '.join(command)}: {stderr.strip()}")
        self.stderr = stderr


@dataclass(frozen=True)
class Helm:
    """Runs helm against one cluster or, for what needs none, against none: ``Helm()("lint", "charts/drover")``."""

    kubeconfig: Path | None = None

    def __call__(self, *arguments: str, timeout: float = 120.0) -> str:
        """Run one command and return its stdout; raises HelmError with what it said on stderr."""
        where = os.devnull if self.kubeconfig is None else str(self.kubeconfig)
        # As kubectl's, the discovery cache is keyed by host and port: keep it with the cluster.
        own = {"KUBECONFIG": where, "KUBECACHEDIR": f"{where}-cache"}
        command = [str(gotools.find("helm")), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, env=os.environ | own
        )
        if done.returncode != 0:
            raise HelmError(arguments, done.stderr)
        return done.stdout
