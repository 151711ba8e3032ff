"""Who counts as what beside whom: the label selectors and groups that VMs name, and the VMs under each.

A VM's claims carry these marks to every host it holds, so that affinity, anti-affinity and spread are counted there
(`drover.model.placement.terms`). Selectors see VMs of their own namespace only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from drover.api.meta import Key
from drover.api.scheduling import AffinityTerm
from drover.api.virtualmachine import VirtualMachine
from drover.control.world.selectors import Selector, selector_of
from drover.model.placement import Topology


class Selected(NamedTuple):
    """The mark of VMs that a selector matches."""

    namespace: str
    selector: Selector


class Repels(NamedTuple):
    """The mark of VMs that will have nobody beside them that a selector matches: anti-affinity binds both sides."""

    namespace: str
    selector: Selector
    topology: Topology


class Member(NamedTuple):
    """The mark of VMs of a PlacementGroup."""

    namespace: str
    group: str


class Cohorts:
    """The selectors in use, by namespace."""

    def __init__(self) -> None:
        self._named: dict[str, dict[Selector | Repels, set[Key]]] = defaultdict(dict)
        self._by_vm: dict[Key, frozenset[Selector | Repels]] = {}

    def learn(self, key: Key, vm: VirtualMachine | None) -> bool:
        """Takes the selectors a VM names, or that it is gone. True where one is new to its namespace."""
        before, after = self._by_vm.get(key, frozenset()), frozenset(_named_by(vm)) if vm is not None else frozenset()
        if after:
            self._by_vm[key] = after
        else:
            self._by_vm.pop(key, None)
        in_use = self._named[key.namespace]
        for gone in before - after:
            in_use[gone].discard(key)
            if not in_use[gone]:
                del in_use[gone]
        new = [name for name in after - before if name not in in_use]
        for name in after - before:
            in_use.setdefault(name, set()).add(key)
        return bool(new)

    def marks(self, vm: VirtualMachine) -> frozenset[Hashable]:
        """Everything the VM counts under."""
        in_use = self._named.get(vm.namespace)
        group = vm.spec.placement.placement_group_name
        own: list[Hashable] = [Member(vm.namespace, group)] if group else []
        if in_use:
            labels = vm.metadata.labels
            selectors = (name for name in in_use if isinstance(name, Selector))
            own += [Selected(vm.namespace, selector) for selector in selectors if selector.matches(labels)]
            own += [name for name in self._by_vm.get(vm.key, ()) if isinstance(name, Repels)]
        return frozenset(own)

    def repelled(self, vm: VirtualMachine) -> list[Repels]:
        """The marks of VMs that will not have this one beside them, in one order whoever came first."""
        repelling = (name for name in self._named.get(vm.namespace, ()) if isinstance(name, Repels))
        return sorted(name for name in repelling if name.selector.matches(vm.metadata.labels))


def _named_by(vm: VirtualMachine) -> Iterator[Selector | Repels]:
    for term in vm.spec.placement.affinity:
        selector = selector_of(term.label_selector)
        yield selector
        if is_required_anti_affinity(term):
            yield Repels(vm.namespace, selector, term.topology_key)
    for spread in vm.spec.placement.topology_spread:
        yield selector_of(spread.label_selector)


def is_required_anti_affinity(term: AffinityTerm) -> bool:
    return term.type == "AntiAffinity" and term.enforcement == "Required"
