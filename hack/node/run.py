"""Outside of the namespaces: prepare a node, start its process 1, and clean up whatever becomes of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from controlplane.progress import say
from node import cgroups, host, pause, programs
from node import state as states
from node.inside import FAILED

_UNSHARE = (
    # Whoever kills us kills process 1 of the namespaces, and the kernel then all that is in them.
    *("setpriv", "--pdeathsig=KILL"),
    *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private"),
)


def run(state: Path, images: list[Path], command: list[str]) -> int:
    """Run ``command`` on a node of its own in ``state``; returns its exit code.

    Raises ControlPlaneError where this machine cannot have a node. After a failure the logs stay in STATE/logs.
    """
    host.require_linux_and_root()
    state = state.resolve()
    host.add_system_paths()
    with states.claimed(state):
        cgroup = cgroups.name(state)
        cgroups.remove(cgroup)  # of a run that was killed; its processes are gone before its cgroups are
        states.begin(state)
        code = FAILED
        try:
            host.provide_packages(state / states.LOGS / "apt.log")
            host.require_namespaces()
            programs.link(state / "bin")
            sandbox = pause.archive()
            cgroups.create(cgroup)
            code = _run_inside(state, cgroup, [sandbox, *images], command)
        finally:
            cgroups.remove(cgroup)
            states.end(state, keep_logs=code != 0)
        if code != 0:
            say(f"exit code {code}; the logs of components and pods are in {state / states.LOGS}")
        return code


def _run_inside(state: Path, cgroup: str, images: list[Path], command: list[str]) -> int:
    inside = [sys.executable, "-m", "node.inside", f"--state={state}", f"--cgroup={cgroup}"]
    inside += [f"--images={image}" for image in images]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches process 1, or the command once it runs
    process = subprocess.Popen([*_UNSHARE, *inside, "--", *command])
    try:
        return process.wait()
    finally:
        _kill(process)


def _kill(unshare: "subprocess.Popen[bytes]") -> None:
    """Kill process 1 if it still runs; unshare ends after it, and it after all that is in its namespaces."""
    if unshare.poll() is None:
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
        for pid in map(int, children or [str(unshare.pid)]):
            os.kill(pid, signal.SIGKILL)
        unshare.wait()
