"""The chart's README, by helm-docs from values.yaml and README.md.gotmpl."""

import subprocess
from pathlib import Path

import gotools
from chart.shared import CHART


def stale() -> list[Path]:
    """The README, where it is not what helm-docs would write."""
    readme = CHART / "README.md"
    return [] if readme.exists() and readme.read_text() == rendered() else [readme]


def write() -> None:
    (CHART / "README.md").write_text(rendered())


def rendered() -> str:
    """Raises CalledProcessError; helm-docs has told why."""
    options = ("--dry-run", "--sort-values-order=file", "--log-level=warning")
    command = [str(gotools.find("helm-docs")), f"--chart-search-root={CHART}", *options]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip() + "\n"
