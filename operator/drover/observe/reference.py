"""docs/metrics.md, generated from the registry of families. Run: python -m drover.observe.reference docs/metrics.md"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from drover.observe.families import KUBEVIRT, LEDGER, PROCESS, STATE, Family

INTRODUCTION = """\
<!-- Generated from operator/drover/observe/families by `make dashboards`; do not edit. -->
# Metrics

The operator serves two pages:

| page | who | what |
|---|---|---|
| `/metrics` | every replica | the process: reconciles, queue, API requests, and what it counted while it led |
| `/metrics/state` | the leader; others answer 503 | the data centre as the API server has confirmed it |

Scrape them as two jobs. On the second drop `instance` and `pod`, so that a failover goes on with the same series;
[monitoring/prometheus.yaml](../monitoring/prometheus.yaml) is such a configuration. Counters of `/metrics` begin at 0
with each process: read them with `rate` or `increase` over all instances.

`drover run --metrics-vm-detail=off|info|full` sets the series of each VM: none, about 7 (the default), or every phase
as 0 or 1 (about 20). `--metrics-compat=kubevirt` adds VMs and migrations under KubeVirt's names, for dashboards made
for KubeVirt. No label is free text, and no histogram carries a namespace or a VM.

"""


def render() -> str:
    return "".join(
        [
            INTRODUCTION,
            *_section("/metrics/state", (*STATE, *LEDGER)),
            *_section("/metrics", PROCESS),
            *_section("/metrics/state with --metrics-compat=kubevirt", KUBEVIRT),
            *_buckets(PROCESS),
        ]
    )


def _section(page: str, families: Iterable[Family]) -> Iterator[str]:
    yield f"## {page}\n\n| name | type | labels | what |\n|---|---|---|---|\n"
    for family in sorted(families, key=lambda family: family.name):
        yield f"| `{family.name}` | {family.type} | {', '.join(family.labels) or '–'} | {_cell(family.help)} |\n"
    yield "\n"


def _buckets(families: Iterable[Family]) -> Iterator[str]:
    yield "## Buckets\n\n| histogram | upper bounds |\n|---|---|\n"
    for family in sorted(families, key=lambda family: family.name):
        if family.buckets:
            yield f"| `{family.name}` | {' '.join(f'{bound:g}' for bound in family.buckets)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m drover.observe.reference", description="Write docs/metrics.md.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file is out of date")
    options = parser.parse_args(arguments)
    if not options.check:
        options.file.write_text(render())
    elif not options.file.exists() or options.file.read_text() != render():
        print(f"{options.file} differs from the registry of families: run `make dashboards`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
