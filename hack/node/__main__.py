"""``python -m node run [--images A.tar]... [--state DIR] -- COMMAND...``"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import node
from controlplane.progress import ControlPlaneError, say
from node import kind
from node.inside import FAILED
from node.run import run

DEFAULT_STATE = Path(__file__).parents[2] / ".cache" / "node"


def main(arguments: list[str] | None = None) -> int:
    """Run a command on a node of its own; its exit code, or 125 when there is no node to run it on."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        images = [_archive(path) for path in options.images]
        return _provider()(options.state, images, options.command)
    except ControlPlaneError as error:
        say(str(error))
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _provider() -> Callable[[Path, list[Path], list[str]], int]:
    named = os.environ.get("PROVIDER", "")
    if named not in _PROVIDERS:
        raise ControlPlaneError(f"PROVIDER={named}: known are local and kind")
    return _PROVIDERS[named]


def _archive(path: Path) -> Path:
    if not path.is_file():
        raise ControlPlaneError(f"--images {path}: there is no such file; `docker save -o {path} IMAGE` writes one")
    return path.resolve()


_PROVIDERS = {"": run, "local": run, "kind": kind.run}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="node")
    run_parser = parser.add_subparsers(required=True, metavar="run").add_parser(
        "run", description=node.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    run_parser.add_argument(
        "--images", type=Path, action="append", default=[], help="archive of images for the pods; may be repeated"
    )
    run_parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    run_parser.add_argument("command", nargs="+", help="what to run, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
