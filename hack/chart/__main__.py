"""Write the generated parts of charts/drover; with --check say what differs from its source.

Run: PYTHONPATH=hack python -m chart
"""

import sys

from chart import readme, shared


def main(arguments: list[str]) -> int:
    wanted = shared.files()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    needless = sorted(path for path in (shared.CHART / "files").glob("*/**/*.*") if path not in wanted)
    if "--check" in arguments:
        for path in (*stale, *needless, *readme.stale()):
            print(f"{path.relative_to(shared.ROOT)} differs from its source: run `make chart`", file=sys.stderr)
        return 1 if stale or needless or readme.stale() else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
    for path in needless:
        path.unlink()
    readme.write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
