"""Placement done plainly, as the reference of the tests: hosts one by one, everything recounted, in whole numbers and
fractions, nothing remembered and nothing vectorised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import ceil, floor

from drover.model.placement import (
    Affinity,
    AntiAffinity,
    Claim,
    HostRow,
    Ledger,
    Request,
    Reserve,
    Resources,
    Spread,
    Term,
    Topology,
)
from drover.model.placement.cpumodels import provides

Pair = tuple[str, str]
Cell = tuple[Fraction, int]
"""vCPUs in use and memory of one NUMA cell."""


@dataclass
class Plain:
    """What a ledger was told."""

    rows: dict[str, HostRow] = field(default_factory=dict)
    stated: dict[Hashable, Mapping[Pair, Claim]] = field(default_factory=dict)
    reserves: dict[str, Reserve] = field(default_factory=dict)

    def copy(self) -> Plain:
        return Plain(dict(self.rows), dict(self.stated), dict(self.reserves))

    def ledger(self) -> Ledger:
        """A ledger told the same, from scratch and in another order: what came last first, and claims before hosts."""
        ledger = Ledger()
        for contributor in reversed(self.stated):
            ledger.set_claims(contributor, self.stated[contributor])
        for name in reversed(self.rows):
            ledger.upsert(self.rows[name])
        ledger.reserves.update(self.reserves)
        return ledger

    # What is charged

    def statements(self, host: str) -> dict[str, list[Claim]]:
        """All that is stated of each virtual machine on the host."""
        found: dict[str, list[Claim]] = {}
        for claims in self.stated.values():
            for (uid, on), claim in claims.items():
                if on == host:
                    found.setdefault(uid, []).append(claim)
        return found

    def allocated(self, host: str) -> Resources:
        """The sum over virtual machines of the largest amounts stated."""
        total, gpus = [0] * 5, Counter[str]()
        for claims in self.statements(host).values():
            total = [sum(amounts) for amounts in zip(total, largest(claims), strict=True)]
            gpus += largest_gpus(claims)
        return Resources._make((*total, tuple(sorted(gpus.items()))))

    def cells(self, row: HostRow) -> list[Cell]:
        """What each of the host's cells is charged, each virtual machine in equal parts, rounded up."""
        cells: list[Cell] = [(Fraction(0), 0)] * row.cells
        for claims in self.statements(row.name).values():
            bound = {cell for claim in claims for cell in claim.cells}
            parts = min((len(claim.cells) for claim in claims if claim.cells), default=1)
            cpu, memory, _, _, threads = largest(claims)
            for cell in bound & set(range(row.cells)):
                before, used = cells[cell]
                cells[cell] = (before + _part(cpu, threads, parts, row), used + -(-memory // parts))
        return cells

    def counts(self, mark: Hashable, topology: Topology) -> Counter[str]:
        """Virtual machines with the mark in each domain; those on hosts that are gone are nowhere."""
        return Counter(
            row.domain(topology)
            for row in self.rows.values()
            for claims in self.statements(row.name).values()
            if any(mark in claim.marks for claim in claims)
        )

    # What a request may have

    def failures(self, request: Request) -> dict[str, str | None]:
        """Each host of the pool with the first rule it fails, or None."""
        return {
            row.name: next(self._failures(row, request), None)
            for row in self.rows.values()
            if request.pool in (None, row.pool)
        }

    def scores(self, request: Request) -> dict[str, float]:
        """Each host that the request fits on with its score."""
        fitting = [name for name, failure in self.failures(request).items() if failure is None]
        return {name: self.score(self.rows[name], request) for name in fitting}

    def own_score(self, row: HostRow, request: Request) -> float | None:
        """The score but for what depends on others, on lists of hosts and on reserves; None where it does not fit."""
        if request.pool not in (None, row.pool) or next(self._own_failures(row, request), None) is not None:
            return None
        return float(resource_score(row, self.allocated(row.name), request.resources) - _avoided(row, request))

    def score(self, row: HostRow, request: Request) -> float:
        own = resource_score(row, self.allocated(row.name), request.resources) - _avoided(row, request)
        return float(own + sum(self._preference(term, row, request) for term in request.terms))

    def _failures(self, row: HostRow, request: Request) -> Iterator[str]:
        if request.hosts is not None and row.name not in request.hosts:
            yield "not one of the requested hosts"
        if row.name in request.exclude:
            yield "excluded"
        yield from self._own_failures(row, request)
        for term in request.terms:
            if not self.allows(term, row, request):
                yield f"not satisfying {term.told}"
        reserve = self.reserves.get(row.pool)
        if reserve is not None and not request.unreserved and self.takes_reserve(row.pool, reserve, request):
            yield str(reserve)

    def _own_failures(self, row: HostRow, request: Request) -> Iterator[str]:
        yield from character_failures(row, request)
        yield from self._shortages(row, request)

    def _shortages(self, row: HostRow, request: Request) -> Iterator[str]:
        need, total = request.resources, row.total
        guest = request.vcpus * 1000 or need.milli_cpu + need.milli_threads
        if guest > total.milli_cpu or need.memory > total.memory or need.disk > total.disk:
            yield "physically too small"
        after = self.allocated(row.name) + need
        if (need.milli_cpu or need.milli_threads) and cpu_in_use(row, after) > cpu_limit(row):
            yield "insufficient cpu"
        for index, name in ((1, "memory"), (2, "disk"), (3, "network")):
            if amounts(need)[index] and amounts(after)[index] > amounts(row.allocatable)[index]:
                yield f"insufficient {name}"
        gpus = dict(row.total.gpus)
        for device, _ in need.gpus:
            if dict(after.gpus)[device] > gpus.get(device, 0):
                yield f"insufficient GPU {device}"
        if request.numa_nodes and not self._roomy_cells(row, request):
            yield "without a NUMA cell that has room"

    def _roomy_cells(self, row: HostRow, request: Request) -> bool:
        """Whether any choice of cells has room for its parts."""
        cpu, memory, _, _, threads = amounts(request.resources)
        parts = request.numa_nodes
        usable = (row.total.milli_cpu - row.reserved.milli_cpu) // row.cells * row.ratios.cpu
        return any(
            all(
                used + _part(cpu, threads, parts, row) <= usable
                and taken + -(-memory // parts) <= row.allocatable.memory // row.cells
                for used, taken in chosen
            )
            for chosen in combinations(self.cells(row), parts)
        )

    # Terms

    def others(self, term: Term, request: Request) -> Counter[str]:
        """Virtual machines with the mark by domain, but for the one that is placed."""
        counts = self.counts(term.mark, term.topology)
        if request.leaves in self.rows and term.mark in request.marks:
            counts[self.rows[request.leaves].domain(term.topology)] -= 1
        return +counts

    def allows(self, term: Term, row: HostRow, request: Request) -> bool:
        """Whether the term, if it is required, allows the host."""
        counts, domain = self.others(term, request), row.domain(term.topology)
        match term:
            case Affinity(weight=None):
                return counts[domain] > 0 or (term.own and not counts)
            case AntiAffinity(weight=None):
                return counts[domain] < term.limit
            case Spread(required=True):
                return counts[domain] + term.own - self.least(term, counts, request) <= term.max_skew
            case _:
                return True

    def _preference(self, term: Term, row: HostRow, request: Request) -> Fraction:
        """What the term, if it is preferred, adds to the score."""
        counts, domain = self.others(term, request), row.domain(term.topology)
        match term:
            case Affinity(weight=int(weight)):
                return Fraction(weight, 100) if counts[domain] else Fraction(0)
            case AntiAffinity(weight=int(weight)):
                return Fraction(-weight, 100) if counts[domain] >= term.limit else Fraction(0)
            case Spread(required=False):
                return Fraction(-(counts[domain] - self.least(term, counts, request)), 2)
            case _:
                return Fraction(0)

    def least(self, term: Spread, counts: Counter[str], request: Request) -> int:
        """How many there are in the emptiest of the domains to spread over."""
        domains = {
            row.domain(term.topology)
            for row in self.rows.values()
            if request.pool in (None, row.pool) and not set(character_failures(row, request)) - set(passing(row))
        }
        return 0 if len(domains) < term.min_domains else min((counts[domain] for domain in domains), default=0)

    # Failover

    def takes_reserve(self, pool: str, reserve: Reserve, request: Request) -> bool:
        """Whether CPU or memory in use in the pool, with the request, leaves less than what is held back."""
        rows = [row for row in self.rows.values() if row.pool == pool and row.blocked is None]
        loads = [self.allocated(row.name) for row in rows]
        used = [cpu_in_use(row, load) for row, load in zip(rows, loads, strict=True)]
        most = max((ceil(request.resources.milli_threads * row.ratios.cpu) for row in rows), default=0)
        cpu = (cpu_limit, sum(used), request.resources.milli_cpu + most)
        memory = (memory_limit, sum(load.memory for load in loads), request.resources.memory)
        for limit, taken, need in (cpu, memory):
            limits = sorted((limit(row) for row in rows), reverse=True)
            held_back = sum(limits[: reserve.host_failures])
            if reserve.percent:
                held_back = -(-sum(limits) * reserve.percent // 100)
            if need and taken + need > sum(limits) - held_back:
                return True
        return False


def amounts(resources: Resources) -> tuple[int, int, int, int, int]:
    return resources[:5]


def largest(claims: list[Claim]) -> list[int]:
    return [max(column) for column in zip(*(amounts(claim.resources) for claim in claims), strict=True)]


def largest_gpus(claims: list[Claim]) -> Counter[str]:
    found = Counter[str]()
    for claim in claims:
        found |= Counter(dict(claim.resources.gpus))
    return found


def cpu_limit(row: HostRow) -> int:
    return floor((row.total.milli_cpu - row.reserved.milli_cpu) * row.ratios.cpu)


def memory_limit(row: HostRow) -> int:
    return floor((row.total.memory - row.reserved.memory) * row.ratios.memory)


def cpu_in_use(row: HostRow, load: Resources) -> int:
    """Shared vCPUs, and as many as whole threads take away from those that could be promised."""
    usable = row.total.milli_cpu - row.reserved.milli_cpu
    return load.milli_cpu + cpu_limit(row) - floor((usable - load.milli_threads) * row.ratios.cpu)


def resource_score(row: HostRow, used: Resources, need: Resources) -> Fraction:
    """The documented sum, exact."""
    after = used + need
    in_use = (cpu_in_use(row, after), after.memory, after.disk, after.bandwidth)
    limits = amounts(row.allocatable)[:4]
    cpu, memory, *_ = fractions = [
        Fraction(amount, limit) if limit else Fraction(0) for amount, limit in zip(in_use, limits, strict=True)
    ]
    goals = [used if row.strategy == "Pack" else 1 - used for used in fractions]
    weighted = sum((weight * goal for weight, goal in zip(row.weights, goals, strict=True)), Fraction(0))
    return (weighted / (sum(row.weights) or 1) + (1 - abs(cpu - memory)) / 4) / Fraction(5, 4)


def character_failures(row: HostRow, request: Request) -> Iterator[str]:
    """The rules that look at the host alone, whatever its load, in their order."""
    if any(row.labels.get(label) != value for label, value in request.node_selector.items()):
        yield "node selector does not match"
    for trait in sorted(request.required_traits):
        if trait not in row.traits:
            yield f"lacking trait {trait}"
    for trait in sorted(request.forbidden_traits):
        if trait in row.traits:
            yield f"having forbidden trait {trait}"
    if not provides(row.cpu_model, request.cpu_model):
        yield f"unable to provide CPU model {request.cpu_model}"
    if request.numa_nodes > row.cells:
        yield f"with fewer than {request.numa_nodes} NUMA cells"
    for taint in row.taints:
        if taint.effect == "NoSchedule" and not any(known.tolerates(taint) for known in request.tolerations):
            yield f"with taint {taint} not tolerated"
    if row.blocked:
        yield row.blocked


def passing(row: HostRow) -> Iterator[str]:
    """Failures that a host is one of those to spread over in spite of."""
    yield from (f"with taint {taint} not tolerated" for taint in row.taints)
    if row.blocked:
        yield row.blocked


def _avoided(row: HostRow, request: Request) -> Fraction:
    preferred = [taint for taint in row.taints if taint.effect == "PreferNoSchedule"]
    return Fraction(sum(not any(known.tolerates(taint) for known in request.tolerations) for taint in preferred), 2)


def _part(milli_cpu: int, milli_threads: int, parts: int, row: HostRow) -> Fraction:
    """The vCPUs that one of the cells gives."""
    return -(-milli_cpu // parts) + -(-milli_threads // parts) * row.ratios.cpu
