"""Huawei Cloud's set for topology-aware placement (mdl1104/Dataset-for-topology-aware-VM-placement, CC0 1.0).

``pm_res.csv`` has the free vCPUs and GiB of both NUMA cells of every host, ``topology_provider.csv`` the rack of each
in the same order, and each ``vm_data_*.csv`` one case: requests in the order of arrival, for one cell or half from each
of two, some with a strategy and a group. The set does not say which domain a strategy means. The reading:
``affinity`` is one rack for the whole group, ``anti-affinity`` another host for each member, and under ``fault_domain``
different ``domain`` numbers of one group share no rack. Groups are numbered by strategy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from drover.model.placement import Resources
from drover.sim.replay.reading import TraceError, records
from drover.sim.replay.topology import Ask, CellHost, Group

HOSTS_FILE: Final = "pm_res.csv"
RACKS_FILE: Final = "topology_provider.csv"
CASES: Final = "vm_data_*.csv"
_HOST_COLUMNS: Final = ("CPU1", "RAM1", "CPU2", "RAM2")
_ASK_COLUMNS: Final = ("flavor_vcpus", "flavor_ram", "numa", "strategy", "group", "domain")


def read_hosts(hosts: Iterable[str], racks: Iterable[str]) -> tuple[CellHost, ...]:
    """The hosts, each with its rack. Raises TraceError where there are fewer racks than hosts."""
    free = [_numbers(row, HOSTS_FILE) for row in records(hosts, _HOST_COLUMNS, HOSTS_FILE)]
    names = [rack for (rack,) in records(racks, ("rack_id",), RACKS_FILE)]
    if len(names) < len(free):
        raise TraceError(f"{RACKS_FILE}: {len(names)} rows for the {len(free)} hosts of {HOSTS_FILE}")
    return tuple(
        CellHost((_size(cpu1, ram1), _size(cpu2, ram2)), rack)
        for (cpu1, ram1, cpu2, ram2), rack in zip(free, names, strict=False)
    )


def read_asks(lines: Iterable[str], case: str) -> tuple[Ask, ...]:
    """The requests of a case."""
    return tuple(_asks(lines, case))


def _asks(lines: Iterable[str], case: str) -> Iterator[Ask]:
    for cpu, ram, numa, strategy, group, domain in records(lines, _ASK_COLUMNS, case):
        vcpus, gib, cells = _numbers((cpu, ram, numa), case)
        match strategy:
            case "":
                named = None
            case "affinity" | "anti-affinity" | "fault_domain":
                named = Group(strategy, group)
            case _:
                raise TraceError(f"{case}: strategy {strategy!r} is none of affinity, anti-affinity, fault_domain")
        yield Ask(_size(vcpus, gib), cells, named, domain)


def _numbers(row: tuple[str, ...], name: str) -> tuple[int, ...]:
    try:
        return tuple(int(value) for value in row)
    except ValueError as error:
        raise TraceError(f"{name}: {error}: sizes must be whole vCPUs and GiB") from error


def _size(vcpus: int, gib: int) -> Resources:
    return Resources(vcpus * 1000, gib * 2**30)
