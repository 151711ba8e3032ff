"""kubectl as a Python callable, and the installation of CRDs with it."""

import subprocess
import time
from contextlib import suppress
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


def delete_crds(kubectl: Kubectl, *selection: str, seconds: float = 60.0) -> None:
    """Delete CRDs, chosen as for ``kubectl delete``, and wait until they are gone; raises TimeoutError."""
    kubectl("delete", *selection, "--wait=false")
    deadline = time.monotonic() + seconds
    while left := crds_left(kubectl, *selection):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there after {seconds:.0f} s: {', '.join(left)}")
        time.sleep(0.5)


def crds_left(kubectl: Kubectl, *selection: str) -> list[str]:
    """Which of these CRDs are still there, each touched: where the API server's own write to one that is being deleted
    meets another one, it forgets to go on until the CRD changes, or five minutes have passed (crd_finalizer.go: "we'll
    get called again").
    """
    left = kubectl("get", *selection, "--ignore-not-found", "-o", "name").split()
    if left:
        with suppress(KubectlError):  # gone by now
            kubectl("annotate", *left, f"touched={time.monotonic_ns()}", "--overwrite")
    return left
