"""Write monitoring/; with --check say what differs from it, with --tools where promtool and prometheus are.

Run: PYTHONPATH=hack python -m mixin
"""

import sys
from pathlib import Path

from mixin import binaries, delivery, rules
from mixin.boards import BOARDS
from mixin.boards.grafana import render

ROOT = Path(__file__).parents[2]


def files() -> dict[Path, str]:
    """Every generated file with what belongs into it."""
    directory = ROOT / "monitoring"
    boards = {directory / "dashboards" / f"{board.uid}.json": render(board) for board in BOARDS}
    return {
        directory / "prometheusrule.yaml": rules.render(),
        directory / "rules.yaml": rules.render_plain(),
        directory / "kustomization.yaml": delivery.render(BOARDS),
        **boards,
    }


def _tools() -> int:
    try:
        for program in binaries.PROGRAMS:
            print(f"{program}: {binaries.find(program)}")
    except binaries.MissingProgramError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    if "--tools" in arguments:
        return _tools()
    wanted = files()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} differs from hack/mixin: run `make dashboards`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
