"""A few hosts packed anew: an integer program for CP-SAT (OR-Tools).

Machines of one size, on one host and admitted by the same hosts are interchangeable: a *group*. The variables are
flows, how many of a group run on a host, so the program stays small and has none of the symmetry of naming machines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from drover.model.packing.extras import optional
from drover.model.packing.fleet import Fleet
from drover.model.packing.snapshot import IntArray


class _Group(NamedTuple):
    size: tuple[int, ...]
    source: int
    targets: tuple[int, ...]
    """The hosts it may run on, the source among them."""


_Groups = Mapping[_Group, list[int]]
_Flows = Mapping[tuple[_Group, int], Any]


def repack(fleet: Fleet, hosts: IntArray, budget: int, *, effort: float, seed: int) -> dict[int, int]:
    """Machines of these hosts to move, and where to among the same hosts, so that fewer of them are in use.

    As few hosts as possible, then as few moves, and no more of those than the budget; empty where no way was found.
    No host may be filled above its capacity. Effort is in CP-SAT's deterministic seconds, so the same arguments give
    the same answer everywhere. Raises ModuleNotFoundError where OR-Tools is missing.
    """
    cp_model = optional("ortools.sat.python.cp_model", "optimize")
    groups = _groups(fleet, hosts)
    model = cp_model.CpModel()
    flows = {
        (group, host): model.new_int_var(0, len(vms), "") for group, vms in groups.items() for host in group.targets
    }
    used = {host: model.new_bool_var("") for host in hosts.tolist()}
    for group, vms in groups.items():
        model.add(sum(flows[group, host] for host in group.targets) == len(vms))
    for host, is_used in used.items():
        here = [(group, flow) for (group, target), flow in flows.items() if target == host]
        model.add(sum(flow for _, flow in here) <= int(fleet.vms[hosts].sum()) * is_used)
        for resource, capacity in enumerate(fleet.capacity[:, host].tolist()):
            model.add(sum(group.size[resource] * flow for group, flow in here) <= capacity * is_used)
    moves = sum(flow for (group, host), flow in flows.items() if host != group.source)
    model.add(moves <= budget)
    model.add(sum(used.values()) < len(used))
    model.minimize(sum(used.values()) * (budget + 1) + moves)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = effort
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return {}
    return dict(_assigned(groups, {key: solver.value(flow) for key, flow in flows.items()}))


def _groups(fleet: Fleet, hosts: IntArray) -> dict[_Group, list[int]]:
    groups: dict[_Group, list[int]] = defaultdict(list)
    for source in hosts.tolist():
        for vm in fleet.on(source).tolist():
            targets = {source, *fleet.admitted(vm, hosts).tolist()}
            groups[_Group(tuple(fleet.sizes[vm].tolist()), source, tuple(sorted(targets)))].append(vm)
    return groups


def _assigned(groups: _Groups, flows: _Flows) -> Iterator[tuple[int, int]]:
    """(machine, target) for those that move: the first of each group stay."""
    for group, vms in groups.items():
        leaving = iter(vms[flows[group, group.source] :])
        for host in group.targets:
            if host != group.source:
                yield from ((next(leaving), host) for _ in range(flows[group, host]))
