"""``python -m statemachines [--check] FILE``: write the state machines into a page, between its marks."""

import argparse
import sys
from pathlib import Path

from statemachines.drawing import section
from statemachines.machines import MACHINES

BEGIN = "<!-- generated from hack/statemachines by `make states`: -->"
END = "<!-- end of what is generated -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m statemachines", description="Write the state machines to a page.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is out of date")
    options = parser.parse_args()
    present = options.file.read_text()
    wanted = rendered(present)
    if not options.check:
        options.file.write_text(wanted)
    elif present != wanted:
        print(f"{options.file} differs from hack/statemachines: run `make states`", file=sys.stderr)
        return 1
    return 0


def rendered(page: str) -> str:
    """The page with what is between its marks made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n\n".join([before + BEGIN, *map(section, MACHINES), END + after])


if __name__ == "__main__":
    sys.exit(main())
