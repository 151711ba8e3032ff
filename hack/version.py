"""The version, in one place: ``operator/drover/__init__.py``. Whatever else tells it is written from there.

``python hack/version.py`` writes it, ``--check`` says where it differs, ``--set 0.2.0`` changes it everywhere.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = (ROOT / "operator" / "drover" / "__init__.py", r'(?m)^__version__ = "(.+)"$')
PLACES = [
    (ROOT / "charts" / "drover" / "Chart.yaml", r"(?m)^version: (\S+)$"),
    (ROOT / "charts" / "drover" / "Chart.yaml", r'(?m)^appVersion: "(.+)"$'),
    (ROOT / "config" / "operator" / "deployment.yaml", r"(?m)^ +image: drover:(\S+)$"),
    (ROOT / "examples" / "gitops" / "argocd" / "apps" / "drover.yaml", r"(?m)^ +targetRevision: v(\S+)$"),
    (ROOT / "docs" / "gitops.md", r"image is `drover:([^`]+)`"),
    (ROOT / "docs" / "quickstart.md", r"builds `drover:([^`]+)`"),
]
"""Files, and a pattern whose one group is the version."""


def told(path: Path, pattern: str) -> str:
    """The version that a file tells. Raises ValueError where it tells none, or several."""
    found = re.findall(pattern, path.read_text())
    if len(found) != 1:
        raise ValueError(f"{path.relative_to(ROOT)}: {len(found)} lines match {pattern!r}, not one")
    return str(found[0])


def write(path: Path, pattern: str, version: str) -> None:
    """Let a file tell this version. Raises ValueError as ``told`` does."""
    old = told(path, pattern)
    text = path.read_text()
    path.write_text(re.sub(pattern, lambda match: match[0].replace(old, version), text))


def main() -> int:
    """0 when every place tells the version."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; 1 where a place differs")
    parser.add_argument("--set", metavar="VERSION", help="the new version")
    options = parser.parse_args()
    if options.set:
        write(*SOURCE, options.set)
    version = told(*SOURCE)
    differing = [place for place in PLACES if told(*place) != version]
    for path, pattern in differing:
        if options.check:
            print(f"{path.relative_to(ROOT)} tells {told(path, pattern)}, not {version}: run `make version`")
        else:
            write(path, pattern, version)
    return int(options.check and bool(differing))


if __name__ == "__main__":
    sys.exit(main())
