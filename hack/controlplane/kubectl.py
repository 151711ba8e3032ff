"""kubectl as a Python callable, and the installation of CRDs with it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


class KubectlError(RuntimeError):
    """kubectl exited with an error; ``stderr`` is what it said."""

    def __init__(self, command: tuple[str, ...], stderr: str) -> None:
        super().__init__(f"kubectl {' '.join(command)}: {stderr.strip()}")
        self.stderr = stderr


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl against one cluster: ``kubectl("get", "ns", "-o", "name")`` returns its stdout."""

    path: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, input: str | None = None, timeout: float = 120.0) -> str:  # noqa: A002
        """Run one command, with ``input`` on its stdin; raises KubectlError with what it said on stderr."""
        # The discovery cache is keyed by host and port, and our ports are reused: keep it with the cluster.
        own = [f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.kubeconfig.parent / 'kubectl-cache'}"]
        command = [str(self.path), *own, *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise KubectlError(arguments, done.stderr)
        return done.stdout


def install_crds(kubectl: Kubectl, directory: Path) -> list[str]:
    """Apply every CRD of ``directory`` and wait until each is Established; returns their names."""
    if not any(directory.glob("*.yaml")):
        return []
    kubectl("apply", "--server-side", "--force-conflicts", "-f", str(directory))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(directory))
    return kubectl("get", "-f", str(directory), "-o", "name").split()
