"""A plan that fails half-way and sends its VMs home, while the operator is killed at every step of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from drover.api.meta import Key
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationplanstatus import MigrationPlanStatus
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.world.claims import FINAL_PLAN_PHASES
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.rest import unrest
from drover.sim.simulation import Simulation

TEAM = "team-a"
PLAN = Key("MigrationPlan", TEAM, "plan")
CALM, ENDLESS = {"hotSet": "64Mi", "dirtyRate": "40Mi"}, {"hotSet": "700Mi", "dirtyRate": "4G"}
GUESTS = {"calm-1": CALM, "calm-2": CALM, "endless": ENDLESS}
DOWN = 3.0
"""Seconds without an operator."""


def prepared(**spec: object) -> Simulation:
    """Three hosts and three VMs, which a plan is to move one after the other."""
    sim = Simulation(1)
    flavor = cloud.flavor("small")
    for raw in (cloud.pool("a", 3, 1, "1"), cloud.image("blank", TEAM), flavor):
        sim.store.create(raw, sim.now)
    for name, model in GUESTS.items():
        wanted = {"flavorRef": {"name": "small"}, "imageRef": {"name": "blank"}, "model": model}
        sim.store.create(cloud.manifest("VirtualMachine", name, wanted, TEAM), sim.now)
    sim.start()
    sim.run_until(START + timedelta(minutes=2))
    listed = {"virtualMachines": [{"name": name} for name in GUESTS], "order": "AsListed", "retry": {"limit": 0}}
    careful = {"failurePolicy": "Rollback", "limits": {"maxConcurrent": 1}}
    sim.store.create(cloud.manifest("MigrationPlan", PLAN.name, listed | careful | spec, TEAM), sim.now)
    return sim


def status_of(sim: Simulation) -> MigrationPlanStatus:
    plan = sim.store.get(PLAN)
    assert isinstance(plan, MigrationPlan)
    return plan.status


def ended(sim: Simulation) -> MigrationPlanStatus:
    for _ in range(20_000):
        if status_of(sim).phase in FINAL_PLAN_PHASES:
            assert sim.settle(timedelta(minutes=10), timedelta(hours=2))
            assert unrest(sim.store) == []
            assert [failure.error for failure in sim.backend.failures] == []
            return status_of(sim)
        sim.step()
    raise AssertionError(f"the plan does not end: {status_of(sim)}")


def places(sim: Simulation) -> dict[str, tuple[str | None, str | None, int]]:
    vms = sim.store.objects(VirtualMachine.KIND)
    return {vm.name: (vm.status.phase, vm.status.host_name, vm.status.boot_attempt) for vm in vms}


def migrations(sim: Simulation) -> list[tuple[str, str | None]]:
    found = sim.store.objects(VirtualMachineMigration.KIND)
    return sorted((migration.name, migration.status.phase) for migration in found)


def test_a_rollback_brings_every_vm_home_without_a_boot() -> None:
    sim = prepared()
    before = places(sim)
    status = ended(sim)
    assert (status.phase, status.returned, status.failed) == ("Failed", 2, 1)
    assert places(sim) == before
    assert len(migrations(sim)) == 5
    told = [event.reason for event in sim.backend.events if event.regarding.key == PLAN]
    assert told[:2] == ["PlanComputed", "PlanInfeasible"]
    assert told.count("PlanFailed") == 1


def version(sim: Simulation) -> str:
    plan = sim.store.get(PLAN)
    assert plan is not None
    return plan.metadata.resource_version


def turns(sim: Simulation) -> list[int]:
    """The steps of a run in which the plan is written."""
    found, known = [], version(sim)
    while status_of(sim).phase not in FINAL_PLAN_PHASES:
        sim.step()
        if version(sim) != known:
            known = version(sim)
            found.append(sim.steps)
    return found


@pytest.mark.parametrize("late", [-1, 1], ids="{:+} steps".format)
def test_an_operator_that_is_killed_around_any_write_of_a_rollback_ends_it_as_if_it_had_not_been(late: int) -> None:
    quiet = prepared()
    before, written = places(quiet), turns(quiet)
    ended(quiet)
    expected = migrations(quiet)
    assert len(written) > 15
    for step in written:
        sim = prepared()
        while sim.steps < step + late:
            sim.step()
        sim.crash(0, DOWN)
        status = ended(sim)
        assert (status.phase, status.returned, status.failed) == ("Failed", 2, 1), f"killed at step {step + late}"
        assert (places(sim), migrations(sim)) == (before, expected), f"killed at step {step + late}"


@pytest.mark.parametrize("policy", ["Continue", "Rollback"])
def test_a_cancel_in_the_middle_ends_the_plan_with_every_vm_on_one_host(policy: str) -> None:
    for step in turns(prepared(failurePolicy=policy)):
        sim = prepared(failurePolicy=policy)
        while sim.steps < step:
            sim.step()
        over = status_of(sim).phase in FINAL_PLAN_PHASES
        sim.store.patch(PLAN, {"spec": {"cancel": True}})
        status = ended(sim)
        assert over or status.phase == "Cancelled", f"cancelled at step {step}"
        assert {(phase, boots) for phase, _, boots in places(sim).values()} == {("Running", 1)}
