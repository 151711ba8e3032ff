"""`drover top` has numbers for programs, and puts the most first."""

from __future__ import annotations

from cliobjects import host, pool, vm

from drover.cli.top import HOSTS, POOLS, VMS, host_rows, ordered, pool_rows, vm_rows

OF = {"cpu": "64", "memory": "64Gi"}


def test_a_host_is_told_by_its_share_of_what_vms_may_be_given() -> None:
    (row,) = host_rows(
        [host(status={"phase": "Ready", "allocatable": OF, "allocated": {"cpu": "6500m", "memory": "16Gi"}})]
    )
    assert (row["vcpus"], row["vcpusAllocatable"], row["cpuPercent"]) == (6.5, 64, 10)
    assert (row["memoryBytes"], row["memoryPercent"]) == (16 * 2**30, 25)
    assert HOSTS["vCPUs"](row) == "6.5 of 64"
    assert HOSTS["Memory"](row) == "16Gi of 64Gi"


def test_what_can_give_nothing_has_no_share() -> None:
    (row,) = pool_rows([pool(status={"phase": "Pending"})])
    assert (row["cpuPercent"], row["memoryPercent"], row["hostFailuresTolerated"]) == (None, None, None)
    assert [POOLS[heading](row) for heading in ("CPU%", "Failover", "Ready")] == ["-", "-", "0 of 0"]


def test_a_vm_holds_its_size_only_on_a_host() -> None:
    size = {"name": "small", "vcpus": 2, "memoryBytes": 2**32}
    placed = {"phase": "Running", "hostName": "p1-0", "flavor": size, "restarts": 3, "migration": {"count24h": 2}}
    rows = vm_rows([vm("on", placed), vm("off", {"phase": "Stopped", "flavor": size})])
    assert [(row["vcpus"], row["memoryBytes"]) for row in rows] == [(2, 2**32), (0, 0)]
    assert (rows[0]["restarts"], rows[0]["migrations24h"]) == (3, 2)
    assert VMS["Host"](rows[1]) == "-"


def test_the_fullest_come_first_and_equals_by_name() -> None:
    shares = {"h-2": ("32", "8Gi"), "h-1": ("16", "48Gi"), "h-0": ("16", "8Gi")}
    found = [
        host(name, {"allocatable": OF, "allocated": {"cpu": cpu, "memory": memory}})
        for name, (cpu, memory) in shares.items()
    ]
    rows = host_rows(found)
    assert [row["name"] for row in ordered(rows, "memory")] == ["h-1", "h-0", "h-2"]
    assert [row["name"] for row in ordered(rows, "cpu")] == ["h-2", "h-0", "h-1"]
    assert [row["name"] for row in ordered(rows, "name")] == ["h-0", "h-1", "h-2"]


def test_vms_are_ordered_by_their_size() -> None:
    sizes = {"a": (8, 2**30), "b": (1, 2**33)}
    found = [
        vm(name, {"hostName": "p1-0", "flavor": {"name": "x", "vcpus": vcpus, "memoryBytes": memory}})
        for name, (vcpus, memory) in sizes.items()
    ]
    assert [row["name"] for row in ordered(vm_rows(found), "memory")] == ["b", "a"]
    assert [row["name"] for row in ordered(vm_rows(found), "cpu")] == ["a", "b"]
