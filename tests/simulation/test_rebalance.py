"""A proposal carried out: what was promised is what becomes of the pool, with every invariant kept on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from drover.api.kinds import WATCHED, manifest
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.control.rebalancing import Goal, plans, propose
from drover.control.world import World
from drover.sim import cloud
from drover.sim.simulation import Simulation

A_WHILE = timedelta(hours=1)
"""Long enough for everything asked for to be done."""
FLAVORS = ("small", "medium", "pinned", "small", "twin", "gpu")


def settled(seed: int) -> Simulation:
    """Both pools with VMs of two namespaces, some of which keep apart, after most of them have gone."""
    sim = Simulation(seed)
    for raw in cloud.base(seed):
        sim.store.create(raw, sim.now)
    sim.start()
    keys = []
    for number in range(24):
        flavor = FLAVORS[number % len(FLAVORS)]
        selector = {"labelSelector": {"matchLabels": {"app": "db"}}}
        apart = {"affinity": [{"type": "AntiAffinity", "enforcement": "Required", **selector}]}
        spec = {"flavorRef": {"name": flavor}, "imageRef": {"name": "debian"}}
        labels = {"app": "db"} if number % 8 == 0 else {}
        raw = cloud.manifest(
            "VirtualMachine",
            f"v{number}",
            {**spec, "placement": {"nodePoolName": "a", **(apart if labels else {})}},
            cloud.NAMESPACES[number % 2],
            labels=labels,
        )
        keys.append(sim.store.create(raw, sim.now).key)
    sim.run_until(sim.now + A_WHILE)
    for key in sim.random.sample(keys, 14):
        sim.store.delete(key, sim.now)
    sim.run_until(sim.now + A_WHILE)
    return sim


def seen(sim: Simulation) -> World:
    world = World()
    for kind in WATCHED:
        for resource in sim.store.objects(kind):
            world.observe(resource)
    return world


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("goal", ["pack", "balance"])
def test_a_proposal_that_is_carried_out_brings_what_it_promised(seed: int, goal: Goal) -> None:
    sim = settled(seed)
    proposal = propose("a", goal, seen(sim), 12)
    made = [sim.store.create(manifest(plan), sim.now).key for plan in plans(proposal)]
    sim.run_until(sim.now + A_WHILE)
    assert not sim.store.objects("VirtualMachineMigration"), "the plans wait for approval"
    for key in made:
        sim.store.patch(key, {"spec": {"approved": True}})
    sim.run_until(sim.now + A_WHILE)
    for key in made:
        plan = sim.store.get(key)
        assert isinstance(plan, MigrationPlan)
        assert plan.status.phase == "Succeeded"
    for move in proposal.moves:
        moved = sim.store.get(move.vm.key)
        assert isinstance(moved, VirtualMachine)
        assert moved.status.host_name == move.target
    after = propose("a", goal, seen(sim), 12)
    assert after.before == proposal.after


def test_both_goals_are_worth_something_in_these_clouds() -> None:
    world = seen(settled(1))
    assert all(propose("a", goal, world, 12).moves for goal in ("pack", "balance"))
