"""What expressions read, held against what the operator, Prometheus itself and the recording rules tell."""

from typing import Any

import promql_parser

from drover.observe.families import LEDGER, PROCESS, STATE
from mixin.rules import RECORDED

OTHERS = {
    "up": (),
    "scrape_duration_seconds": (),
    "ALERTS": ("alertname", "alertstate", "severity"),
    "process_cpu_seconds_total": (),
    "process_resident_memory_bytes": (),
}
"""Series that Prometheus and its client library add, with their labels."""
TARGET = ("job", "instance")
SUFFIXES = ("_bucket", "_sum", "_count")


def families() -> dict[str, tuple[str, ...]]:
    """Series name to labels, of everything that can be read."""
    told: dict[str, tuple[str, ...]] = dict(OTHERS)
    for family in (*PROCESS, *STATE, *LEDGER):
        if family.type == "histogram":
            told |= {family.name + suffix: (*family.labels, "le") for suffix in SUFFIXES}
        else:
            told[family.name] = family.labels
    return told | {name: tuple(name.partition(":")[0].split("_")) for name in RECORDED}


def selectors(expression: str) -> list[Any]:
    """The vector selectors of an expression. Raises ValueError where it does not parse."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def known(selector: Any) -> list[str]:
    """What of a selector nobody tells; nothing where all is well."""
    labels = families().get(selector.name)
    if labels is None:
        return [f"no series {selector.name}"]
    named = {matcher.name for matcher in selector.matchers.matchers}
    return [f"{selector.name} has no label {label}" for label in sorted(named - {*labels, *TARGET})]
