"""Who may be stopped for whom: only a preemptible VM, only for one of higher priority that preempts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import cast

from drover.api.priorityclass import PriorityClass
from drover.api.virtualmachine import VirtualMachine
from drover.sim.history import IN_FLIGHT, LAG, History
from drover.sim.picture import Picture

TAKES_ITS_PLACE = re.compile(r"(\S+)/(\S+) of higher priority takes its place")


def preemption(before: Picture, now: Picture, history: History, judged: Counter[str], at: datetime) -> Iterator[str]:
    for uid, vm in now.vms.items():
        old = before.vms.get(uid)
        if old is vm or old is None:
            continue
        if vm.status.phase == "Stopping" and old.status.phase != "Stopping" and (found := _preemptor(vm)):
            judged["preemption"] += 1
            yield from (f"preemption: {vm.key} is stopped {words}" for words in _stopped(vm, *found, history))
        if _named(vm) - _named(old):
            judged["nomination"] += 1
            classes = _classes(vm, history, at - IN_FLIGHT)
            if classes and all(named is not None and named.spec.preemption_policy == "Never" for named in classes):
                yield f"preemption: {vm.key} names {sorted(_named(vm))} though its class never preempts"


def _preemptor(vm: VirtualMachine) -> tuple[str, str] | None:
    ready = vm.status.condition("Ready")
    found = TAKES_ITS_PLACE.search(ready.message) if ready is not None else None
    return (found[1], found[2]) if found is not None else None


def _stopped(vm: VirtualMachine, namespace: str, name: str, history: History) -> Iterator[str]:
    at = cast(datetime, vm.status.transition_started_at)
    key = vm.key._replace(namespace=namespace, name=name)
    preemptors = [cast(VirtualMachine, other) for other in history.versions(key, at - LAG) if other is not None]
    asking = [other for other in preemptors if str(f"{vm.namespace}/{vm.name}") in _named(other)]
    if not vm.spec.preemptible:
        yield f"for {key} though it is not preemptible"
    if not asking:
        yield f"for {key}, which did not ask for it"
    own = min(_priorities(vm, history, at))
    if all(max(_priorities(other, history, at)) <= own for other in asking):
        yield f"for {key}, whose priority is not higher than its own"


def _named(vm: VirtualMachine) -> set[str]:
    """The VMs it waits to take the place of."""
    placement = vm.status.placement
    return set(placement.preempts) if placement is not None and not vm.status.host_name else set()


def _classes(vm: VirtualMachine, history: History, at: datetime) -> list[PriorityClass | None]:
    name = vm.spec.priority_class_name
    return history.known(PriorityClass, "", name, at) if name else []


def _priorities(vm: VirtualMachine, history: History, at: datetime) -> set[int]:
    """What its priority may have been taken for: its class's, or the default's where there is no such class."""
    named = _classes(vm, history, at) or [None]
    values = {one.spec.value for one in named if one is not None}
    if None in named:
        known = [history.known(PriorityClass, "", key.name, at) for key in history.keys(PriorityClass, "")]
        values |= {0} | {one.spec.value for of in known for one in of if one is not None and one.spec.global_default}
    return values
