"""Write the generated pages of docs/reference; with --check say which differ from the code.

Run: PYTHONPATH=hack python -m reference
"""

import sys
from pathlib import Path

from reference import api, commands

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def main(arguments: list[str]) -> int:
    wanted = {FOLDER / "api.md": api.page(), FOLDER / "cli.md": commands.page()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(FOLDER.parents[1])} differs from the code: run `make reference`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
