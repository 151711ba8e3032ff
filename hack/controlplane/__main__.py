"""``python -m controlplane up|down|status|env|build|kubectl``: what the Makefile calls."""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path

from controlplane.assets import find_binaries, find_kubectl
from controlplane.cluster import start, status, stop
from controlplane.progress import ControlPlaneError, say

# CLUSTER_STATE is for tests of what a reader types, which shall not meet the reader's own cluster.
DEFAULT_STATE = Path(os.environ.get("CLUSTER_STATE") or Path(__file__).parents[2] / ".cache" / "cluster")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what it says, 1 when not (``status``: when nothing is up)."""
    options = _parser().parse_args(arguments)
    # A SIGTERM while starting shall clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return int(_COMMANDS[options.command](options.state))
    except ControlPlaneError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _up(state: Path) -> int:
    start(state, context=os.environ.get("CONTEXT", ""), provider=os.environ.get("PROVIDER", ""))
    return 0


def _down(state: Path) -> int:
    say("down" if stop(state) else "nothing is up")
    return 0


def _status(state: Path) -> int:
    plane, line = status(state)
    print(line)
    return 0 if plane else 1


def _env(state: Path) -> int:
    """Print what a shell evaluates; kubectl's discovery cache goes with the cluster, as ports are reused."""
    plane, line = status(state)
    if plane is None:
        raise ControlPlaneError(f"{line}; start one with `make cluster-up`")
    paths = (plane.kubeconfig, plane.state / "kubectl-cache", plane.kubectl.parent)
    kubeconfig, cache, programs = (shlex.quote(str(path)) for path in paths)
    print(f"export KUBECONFIG={kubeconfig} KUBECACHEDIR={cache} PATH={programs}:$PATH")
    return 0


def _build(_state: Path) -> int:
    """Fetch or build the programs without starting them."""
    say(f"using {find_binaries().source}")
    return 0


def _kubectl(_state: Path) -> int:
    """Print the path of a kubectl."""
    print(find_kubectl())
    return 0


_COMMANDS = {"up": _up, "down": _down, "status": _status, "env": _env, "build": _build, "kubectl": _kubectl}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="controlplane", description="A Kubernetes API server without Docker.")
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
