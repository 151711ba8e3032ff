"""Rules that look at a host alone: CPU models, taints, traits, labels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drover.model.placement import HostRow, Resources, Taint, Toleration
from drover.model.placement.cpumodels import provides
from drover.model.placement.request import Constraints
from drover.model.placement.rules import Family, objection
from drover.model.placement.taints import untolerated


@pytest.mark.parametrize(
    ("host_model", "wanted", "expected"),
    [
        (None, None, True),
        ("Haswell", None, True),
        (None, "Haswell", False),
        ("Haswell", "Haswell", True),
        ("Icelake-Server", "Haswell", True),
        ("Haswell", "Icelake-Server", False),
        ("EPYC-Milan", "EPYC-Rome", True),
        ("EPYC", "EPYC-Rome", False),
        ("EPYC-Milan", "Haswell", False),
        ("Icelake-Server", "EPYC", False),
        ("Nehalem", "x86-64-v2", True),
        ("IvyBridge", "x86-64-v3", False),
        ("Haswell", "x86-64-v3", True),
        ("EPYC", "x86-64-v3", True),
        ("Broadwell", "x86-64-v4", False),
        ("Skylake-Server", "x86-64-v4", True),
        ("EPYC-Milan", "x86-64-v4", False),
        ("EPYC-Genoa", "x86-64-v4", True),
        ("x86-64-v3", "x86-64-v2", True),
        ("x86-64-v3", "x86-64-v4", False),
        ("x86-64-v4", "Haswell", False),
        ("Cortex-A72", "Cortex-A72", True),
        ("Cortex-A72", "x86-64-v1", False),
        ("Icelake-Server", "Cortex-A72", False),
    ],
)
def test_a_later_model_of_the_same_line_stands_in_for_an_earlier_one(
    host_model: str | None, wanted: str | None, expected: bool
) -> None:
    assert provides(host_model, wanted) is expected


@pytest.mark.parametrize(
    ("toleration", "taint", "expected"),
    [
        (Toleration("gpu", "Exists"), Taint("gpu", "a100"), True),
        (Toleration("gpu", "Exists"), Taint("fpga"), False),
        (Toleration("gpu", "Equal", "a100"), Taint("gpu", "a100"), True),
        (Toleration("gpu", "Equal", "a100"), Taint("gpu", "l40"), False),
        (Toleration("gpu"), Taint("gpu"), True),
        (Toleration("", "Exists"), Taint("gpu", "a100"), True),
        (Toleration("", "Exists", effect="NoSchedule"), Taint("gpu", "", "PreferNoSchedule"), False),
        (Toleration("", "Equal"), Taint("gpu"), False),
        (Toleration("gpu", "Exists", effect="NoSchedule"), Taint("gpu"), True),
        (Toleration("gpu", "Exists", effect="PreferNoSchedule"), Taint("gpu"), False),
    ],
)
def test_tolerations_follow_kubernetes(toleration: Toleration, taint: Taint, expected: bool) -> None:
    assert toleration.tolerates(taint) is expected


def test_taints_that_nothing_tolerates_are_told_by_effect_and_in_their_order() -> None:
    taints = (Taint("b"), Taint("soft", "", "PreferNoSchedule"), Taint("a", "1"), Taint("c"))
    assert untolerated(taints, (Toleration("b"),), "NoSchedule") == [Taint("a", "1"), Taint("c")]
    assert untolerated(taints, (Toleration("b"),), "PreferNoSchedule") == [Taint("soft", "", "PreferNoSchedule")]
    assert [str(taint) for taint in taints[1:3]] == ["soft:PreferNoSchedule", "a=1:NoSchedule"]


ALL_WRONG = HostRow(
    "h1",
    "p1",
    Resources(8_000),
    labels={"disk": "hdd"},
    traits=frozenset({"SGX"}),
    cpu_model="Haswell",
    taints=(Taint("soft", "", "PreferNoSchedule"), Taint("gpu", "a100")),
    blocked="cordoned",
)
WANTED = Constraints(
    "p1",
    frozenset({("disk", "ssd")}),
    (),
    frozenset({"B", "A"}),
    frozenset({"SGX"}),
    "Icelake-Server",
    2,
)


@pytest.mark.parametrize(
    ("mended", "family", "words"),
    [
        ({}, "selector", "node selector does not match"),
        ({"labels": {"disk": "ssd", "os": "any"}}, "traits", "lacking trait A"),
        ({"traits": frozenset({"A", "SGX"})}, "traits", "lacking trait B"),
        ({"traits": frozenset({"A", "B", "SGX"})}, "traits", "having forbidden trait SGX"),
        ({"traits": frozenset({"A", "B"})}, "cpu", "unable to provide CPU model Icelake-Server"),
        ({"cpu_model": "SapphireRapids"}, "cpu", "with fewer than 2 NUMA cells"),
        ({"cells": 2}, "taint", "with taint gpu=a100:NoSchedule not tolerated"),
        ({"taints": ()}, "blocked", "cordoned"),
    ],
)
def test_a_host_is_told_to_fail_the_first_rule_only(mended: dict[str, object], family: Family, words: str) -> None:
    """Each case mends what the one before failed on."""
    order = ("labels", "traits", "cpu_model", "cells", "taints")
    best: dict[str, object] = {
        "labels": {"disk": "ssd"},
        "traits": frozenset({"A", "B"}),
        "cpu_model": "SapphireRapids",
        "cells": 2,
        "taints": (),
    }
    last = order.index(next(iter(mended))) if mended else 0
    row = replace(ALL_WRONG, **{name: best[name] for name in order[:last]}, **mended)  # type: ignore[arg-type]
    assert objection(row.character, WANTED) == (family, words)


def test_a_host_that_passes_all_rules_has_no_objection() -> None:
    row = HostRow("h1", "p1", Resources(8_000), labels={"disk": "ssd"}, traits=frozenset({"A", "B"}))
    assert objection(replace(row, cpu_model="GraniteRapids", cells=2).character, WANTED) is None
    assert objection(replace(row, pool="p2").character, WANTED) == ("elsewhere", "")
