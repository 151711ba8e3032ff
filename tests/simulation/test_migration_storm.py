"""Many guests in post-copy at once, while hosts and operators fail at the worst moment: the invariants hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from test_migration_faults import IDLE, MODELS, PATIENCE, POLICIES, SMALL, TEAM

from drover.api.host import Host
from drover.api.virtualmachine import VirtualMachine
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.faults import HOST_FAULTS, OPERATOR_FAULTS, Ambush, Strikes, mend_everything, recover_host
from drover.sim.movers import cancel_migration, delete_migration
from drover.sim.network import PERFECT, ROUGH
from drover.sim.requests import create, everything, fresh
from drover.sim.rest import unrest
from drover.sim.simulation import Simulation

SEEDS = range(8)


def restless(seed: int) -> Simulation:
    """Four hosts and six guests that only post-copy can move, all asked to move again and again for four minutes."""
    sim = Simulation(seed, instances=2)
    pool, flavor = cloud.pool("a", 4, seed, "1"), cloud.flavor("small")
    pool["spec"]["migration"] = {"parallelMigrationsPerPool": 4}
    flavor["spec"]["model"] = MODELS["post-copy"]
    policy = cloud.manifest("MigrationPolicy", "any", {"selectors": {}} | POLICIES["post-copy"])
    vms = [cloud.manifest("VirtualMachine", f"vm-{number}", SMALL, TEAM) for number in range(6)]
    for raw in (pool, cloud.image("blank", TEAM), flavor, policy, *vms):
        sim.store.create(raw, sim.now)
    sim.start()
    sim.run_until(START + timedelta(minutes=2))
    sim.backend.weather = ROUGH
    strikes = [
        Strikes(sim, OPERATOR_FAULTS, mean_seconds=15.0),
        Strikes(sim, [*HOST_FAULTS, (6, recover_host)], mean_seconds=15.0),
        Strikes(sim, [(8, move_one), (1, cancel_migration), (1, delete_migration)], mean_seconds=1.5),
        Ambush(sim),
    ]
    sim.run_until(START + timedelta(minutes=6))
    for strike in strikes:
        strike.stop()
    sim.backend.weather = PERFECT
    mend_everything(sim)
    return sim


def move_one(sim: Simulation) -> None:
    running = [vm for vm in everything(sim, VirtualMachine) if vm.status.phase == "Running"]
    if running and everything(sim, Host):
        spec = {"virtualMachineName": sim.random.choice(running).name}
        create(sim, cloud.manifest("VirtualMachineMigration", fresh(sim, "move"), spec, TEAM))


def failures(sim: Simulation) -> Counter[str]:
    return Counter(e.message.partition(":")[0] for e in sim.backend.events if e.reason == "FailedMigration")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_invariants_hold_while_guests_are_lost_in_post_copy_and_everything_comes_to_rest(seed: int) -> None:
    sim = restless(seed)
    assert sim.settle(IDLE, PATIENCE)
    sim.require(unrest(sim.store))
    assert [failure.error for failure in sim.backend.failures] == []
    told = Counter(event.reason for event in sim.backend.events)
    assert told["SwitchedToPostCopy"] > 0
    if seed == 0:
        assert failures(sim)["PostCopyInterrupted"] > 0, "a storm in which no guest is lost proves nothing"
