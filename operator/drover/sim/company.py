"""Who a newcomer finds beside it: required affinity and anti-affinity, hard groups, hard spread.

Each is judged in the operator's favour: a selector must match by every version that may have been known to count
against a placement, and by one of them to count for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from drover.api.host import Host
from drover.api.placementgroup import PlacementGroup
from drover.api.scheduling import AffinityTerm, AffinityType, LabelSelector, SelectorRequirement, TopologySpread
from drover.api.virtualmachine import VirtualMachine
from drover.sim.newcomers import Newcomer
from drover.sim.picture import Picture

Domain = tuple[str | None, ...]
Test = Callable[[VirtualMachine], bool]


@dataclass(frozen=True)
class Other:
    """Another VM, as the operator may have known it."""

    name: str
    versions: Sequence[VirtualMachine]
    here: frozenset[str]
    """The hosts it holds now."""
    held: frozenset[str]
    """Those that it has held ever since the newcomer's place was decided."""
    counted: frozenset[str]
    """All that it may have been taken to hold then, and has held since."""

    def surely(self, test: Test) -> bool:
        return all(map(test, self.versions))

    def perhaps(self, test: Test) -> bool:
        return any(map(test, self.versions))


@dataclass(frozen=True)
class Company:
    """A newcomer, and the others of its namespace."""

    newcomer: Newcomer
    now: Picture
    judged: Counter[str]
    """How often there was something to judge, by rule."""

    def violations(self) -> Iterator[str]:
        newcomer = self.newcomer
        for rule in (self._repelled, self._alone, self._crowded, self._skewed):
            told = [rule(version) for version in newcomer.versions]
            if all(told):
                yield f"company: {newcomer.vm.name} is placed on {newcomer.host} {told[-1]}"

    @cached_property
    def _others(self) -> list[Other]:
        history, at = self.newcomer.history, self.newcomer.at
        found = []
        for key in history.keys(VirtualMachine, self.newcomer.vm.namespace):
            known = history.known(VirtualMachine, key.namespace, key.name, at)
            versions = [version for version in known if version is not None]
            if versions and key != self.newcomer.vm.key:
                here = frozenset(self.now.hosts_of(versions[-1].uid))
                found.append(Other(key.name, versions, here, history.held(key, at), history.counted(key, at)))
        return found

    # Anti-affinity, which binds both sides

    def _repelled(self, own: VirtualMachine) -> str | None:
        for other in self._others:
            barred = [_repelling(own, version) for version in other.versions]
            self.judged["anti-affinity"] += all(barred)
            if all(any(self._beside(other.here, topology) for topology in topologies) for topologies in barred):
                return f"beside {other.name} on {', '.join(sorted(other.here))}, though one repels the other"
        return None

    # Affinity

    def _alone(self, own: VirtualMachine) -> str | None:
        for term in _required(own, "Affinity"):
            test = partial(selects, term.label_selector)
            if self._apart(test, term.topology_key, first_may=test(own)):
                return f"without any that {term.label_selector} selects in its {term.topology_key}"
        group = self._group(own)
        if group is None or group.spec.policy != "Affinity":
            return None
        lonely = self._apart(partial(_is_member, group.name), group.spec.topology_key, first_may=True)
        return f"away from all others of group {group.name}" if lonely else None

    def _apart(self, test: Test, topology: str, *, first_may: bool) -> bool:
        """Whether none of them is in its domain. ``first_may``: nobody being anywhere, it may begin somewhere."""
        self.judged["affinity"] += 1
        if any(other.perhaps(test) and self._beside(other.counted, topology) for other in self._others):
            return False
        return not first_may or any(other.surely(test) and other.held for other in self._others)

    # Groups

    def _crowded(self, own: VirtualMachine) -> str | None:
        group = self._group(own)
        if group is None or group.spec.policy != "AntiAffinity":
            return None
        test, topology = partial(_is_member, group.name), group.spec.topology_key
        there = [other.name for other in self._others if other.surely(test) and self._beside(other.here, topology)]
        self.judged["group"] += 1
        if len(there) < group.spec.max_per_domain:
            return None
        return f"beside {', '.join(there)} of group {group.name}, which allows {group.spec.max_per_domain}"

    def _group(self, own: VirtualMachine) -> PlacementGroup | None:
        """The VM's group, where it has been there and the same for long enough."""
        name = own.spec.placement.placement_group_name
        known = self.newcomer.history.known(PlacementGroup, own.namespace, name or "", self.newcomer.at)
        return known[0] if len(known) == 1 else None

    # Spread

    def _skewed(self, own: VirtualMachine) -> str | None:
        for spread in own.spec.placement.topology_spread:
            if spread.when_unsatisfiable == "DoNotSchedule" and (skew := self._skew(own, spread)) > spread.max_skew:
                return f"with a skew of {skew} of {spread.label_selector} over {spread.topology_key}"
        return None

    def _skew(self, own: VirtualMachine, spread: TopologySpread) -> int:
        """How many more there are in its domain, itself included, than in the emptiest one: the least it can be."""
        test, topology = partial(selects, spread.label_selector), spread.topology_key
        there = sum(other.surely(test) and self._beside(other.held, topology) for other in self._others)
        counted: Counter[Domain] = Counter()
        for other in self._others:
            if other.perhaps(test):
                counted.update(self._domain(host, topology) for host in other.counted)
        history, newcomer = self.newcomer.history, self.newcomer
        if test(own):
            elsewhere = history.counted(own.key, newcomer.at) - {newcomer.host}
            counted.update(self._domain(host, topology) for host in elsewhere)
        surely, perhaps = self._eligible(own, topology)
        least = min((counted[domain] for domain in surely), default=there)
        self.judged["spread"] += there > 0
        return there + test(own) - (least if len(perhaps) >= (spread.min_domains or 1) else 0)

    def _eligible(self, own: VirtualMachine, topology: str) -> tuple[set[Domain], set[Domain]]:
        """The domains with a host that would do, be it closed or full: those that surely have one, and all others."""
        surely, perhaps = set(), set()
        for key in self.newcomer.history.keys(Host, ""):
            fits = [view.unfit() is None for view in self.newcomer.views(key.name) if view.vm is own]
            if any(fits):
                perhaps.add(self._domain(key.name, topology))
            if all(fits):
                surely.add(self._domain(key.name, topology))
        return surely, perhaps

    # Domains

    def _beside(self, hosts: frozenset[str], topology: str) -> bool:
        """Whether one of the hosts is in the newcomer's domain."""
        own = self._domain(self.newcomer.host, topology)
        return any(self._domain(host, topology) == own for host in hosts)

    def _domain(self, host: str, topology: str) -> Domain:
        """A host that is gone is in a domain of its own."""
        found = self.now.hosts.get(host)
        if topology == "Host" or found is None:
            return ("", host)
        return (found.spec.failure_domain, found.spec.rack)[: 2 if topology == "Rack" else 1]


def _repelling(one: VirtualMachine, other: VirtualMachine) -> set[str]:
    """The topologies in which one of the two will not have the other beside it."""
    return {
        term.topology_key
        for own, beside in ((one, other), (other, one))
        for term in _required(own, "AntiAffinity")
        if selects(term.label_selector, beside)
    }


def _required(vm: VirtualMachine, kind: AffinityType) -> Iterator[AffinityTerm]:
    for term in vm.spec.placement.affinity:
        if term.type == kind and term.enforcement == "Required":
            yield term


def _is_member(group: str, vm: VirtualMachine) -> bool:
    return vm.spec.placement.placement_group_name == group


def selects(selector: LabelSelector, vm: VirtualMachine) -> bool:
    """Kubernetes' rule; an empty selector selects everything."""
    labels = vm.metadata.labels
    return selector.match_labels.items() <= labels.items() and all(
        _holds(expression, labels.get(expression.key)) for expression in selector.match_expressions
    )


def _holds(expression: SelectorRequirement, value: str | None) -> bool:
    match expression.operator:
        case "In":
            return value in expression.values
        case "NotIn":
            return value not in expression.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
