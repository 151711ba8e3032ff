"""Explaining: the same answer as the operator's, on the World as it is, which stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from worlds import HARDWARE, NOW, flavor, host, image, imported, later, make, migration, moving, placed, pool, vm
from worlds import world_of as of

from drover.api.meta import AnyResource
from drover.api.virtualmachine import VirtualMachine
from drover.control.explaining import Explanation, explain, supposed
from drover.control.virtualmachine.controller import reconcile
from drover.control.world import World

LATER = later(3600)
BASE: tuple[AnyResource, ...] = (pool(), flavor(), image(status=imported()))
TINY = HARDWARE | {"memory": "6Gi"}
"""Room for one small VM."""


def explained(subject: VirtualMachine, *objects: AnyResource) -> Explanation:
    mine = {resource.key: resource for resource in (*BASE, *objects, subject)}
    return explain(subject, of(*mine.values()), LATER)


@pytest.mark.parametrize(
    "hosts",
    [
        (host("p1-0"), host("p1-1")),
        (host("p1-0", unschedulable=True), host("p1-1", hardware=HARDWARE | {"memory": "2Gi"})),
        (),
    ],
)
def test_the_answer_for_a_waiting_vm_is_what_the_operator_would_decide(hosts: tuple[AnyResource, ...]) -> None:
    subject = vm()
    status = reconcile(subject, of(*BASE, *hosts, subject), LATER).status
    assert isinstance(status, type(subject.status))
    found = explained(subject, *hosts)
    assert found.now == status.placement
    assert found.missing == ""
    assert found.now is not None
    assert sum(found.now.rejections.values()) == found.now.evaluated - found.now.feasible or found.now.host_name
    scheduled = status.condition("Scheduled")
    assert scheduled is not None
    assert found.message.startswith(scheduled.message)


def test_what_would_help_is_sought_anew_and_not_taken_from_the_status() -> None:
    old = {"decidedAt": NOW.isoformat(), "evaluated": 1, "rejections": {"cordoned": 1}, "wouldFitIf": ["wait"]}
    found = explained(vm(status={"phase": "Unschedulable", "placement": old}), host("p1-0", unschedulable=True))
    assert found.vm.status.placement is not None
    assert found.vm.status.placement.would_fit_if == ("wait",)
    assert found.now is not None
    assert "uncordon p1-0" in found.now.would_fit_if
    assert "it would fit" in found.message


def test_a_vm_does_not_stand_in_its_own_way() -> None:
    apart = {"affinity": [{"type": "AntiAffinity", "enforcement": "Required", "labelSelector": {}}]}
    found = explained(vm(status=placed("p1-0"), placement=apart), host("p1-0", hardware=TINY))
    assert found.now is not None
    assert (found.now.host_name, found.now.feasible) == ("p1-0", 1)


def test_a_migration_of_the_vm_does_not_stand_in_its_way_either() -> None:
    subject = vm(status=placed("p1-0", phase="Migrating"))
    hosts = (host("p1-0", unschedulable=True), host("p1-1", hardware=TINY))
    found = explained(subject, *hosts, migration(status=moving("p1-1")))
    assert found.now is not None
    assert found.now.host_name == "p1-1"


def test_the_room_held_back_for_failover_is_not_there_for_a_vm_that_could_wait() -> None:
    """A VM on a host would be restarted with that room; started anew it may not use it."""
    one = pool(admission_control={"policy": "HostFailures", "hostFailuresToTolerate": 1})
    found = explained(vm(status=placed("p1-0")), one, host("p1-0"))
    assert found.now is not None
    assert found.now.host_name is None
    assert "held back for failover" in found.message


def test_preemption_is_told_with_those_who_would_go() -> None:
    small = vm("low", status=placed("p1-0"), preemptible=True)
    urgent = make("PriorityClass", "urgent", {"value": 1000}, finalizer=False)
    found = explained(vm("high", priority_class_name="urgent"), host("p1-0", hardware=TINY), small, urgent)
    assert found.now is not None
    assert (found.now.preempts, found.now.nominated_host_name) == (("default/low",), "p1-0")
    assert found.priority == 1000


def test_what_is_missing_is_told_beside_where_it_would_go() -> None:
    found = explained(vm(image_ref={"name": "none"}), host("p1-0"))
    assert found.missing.startswith("image default/none does not exist")
    assert found.now is not None
    assert found.now.host_name == "p1-0"


def test_without_its_flavor_nothing_can_be_said_of_its_place() -> None:
    found = explained(vm(flavor_ref={"name": "none"}), host("p1-0"))
    assert found.missing.startswith("flavor none does not exist")
    assert (found.now, found.message) == (None, "")


def test_the_world_is_as_before() -> None:
    subject, other = vm(status=placed("p1-0")), vm("b", status=placed("p1-1"))
    world = of(*BASE, host("p1-0"), host("p1-1"), subject, other)
    before = _ledger(world)
    explain(subject, world, LATER)
    assert _ledger(world) == before
    assert world.find(subject.key) == subject


def _ledger(world: World) -> Any:
    rows = world.ledger.table.rows
    return [(row.name, dict(world.ledger.claims_on(row.name)), world.ledger.allocated(row.name)) for row in rows]


# Manifests that are not applied


def test_a_new_object_is_taken_as_one_made_now() -> None:
    world = of(*BASE, host("p1-0"))
    new = supposed(vm(labels={"app": "db"}, uid="", resource_version=""), world, LATER)
    assert (new.metadata.creation_timestamp, new.metadata.labels) == (LATER, {"app": "db"})
    assert world.observe(new)
    assert explain(new, world, LATER).now is not None


def test_a_changed_object_keeps_its_identity_and_its_status() -> None:
    there = vm(status=placed("p1-0"), labels={"app": "db"})
    world = of(*BASE, host("p1-0"), host("p1-1", hardware=HARDWARE | {"labels": {"disk": "ssd"}}), there)
    changed = vm(placement={"nodeSelector": {"disk": "ssd"}}, labels={"tier": "x"}, uid="", resource_version="")
    new = supposed(changed, world, LATER)
    assert (new.uid, new.status, new.metadata.generation) == (there.uid, there.status, 2)
    assert new.metadata.labels == {"app": "db", "tier": "x"}
    assert world.observe(new)
    now = explain(new, world, LATER).now
    assert now is not None
    assert now.host_name == "p1-1"
