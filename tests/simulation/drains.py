"""Random data centres and random plans in them, to hold what was predicted against what was played."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from drover.api.meta import Key
from drover.api.migrationplan import MigrationPlan
from drover.api.virtualmachine import VirtualMachine
from drover.control.world.claims import FINAL_PLAN_PHASES
from drover.sim import cloud
from drover.sim.simulation import Simulation

OPERATOR_NAMESPACE = "drover-system"
TENANT = cloud.NAMESPACES[0]
SETTLED = timedelta(minutes=10)
MOST = timedelta(hours=24)


class Graded(NamedTuple):
    """A plan's prediction and its outcome, in model seconds."""

    name: str
    p10: float
    p50: float
    p90: float
    played: float
    verdict: str

    @property
    def error(self) -> float:
        """Share of the prediction that it was wrong by."""
        return abs(self.played - self.p50) / self.p50

    @property
    def within(self) -> bool:
        return self.p10 <= self.played <= self.p90


def played(seed: int, plans: int) -> Iterator[Graded]:
    """One data centre, and plans in it one after the other."""
    random, sim = Random(seed), Simulation(seed)
    for raw in [*_hardware(random, seed), *_guests(random)]:
        sim.store.create(raw, sim.now)
    sim.start()
    sim.run_until(sim.now + SETTLED)
    for number in range(plans):
        raw = _plan(f"plan-{seed}-{number}", random, sim)
        yield _graded(_ended(sim, sim.store.create(raw, sim.now).key))


def _ended(sim: Simulation, key: Key) -> MigrationPlan:
    """The plan, when it is over and everything has come to rest."""
    deadline = sim.now + MOST
    while sim.now < deadline:
        sim.run_until(sim.now + SETTLED)
        plan = sim.store.get(key)
        assert isinstance(plan, MigrationPlan)
        if plan.status.phase in FINAL_PLAN_PHASES:
            return plan
    raise AssertionError(f"{key} has not ended within {MOST}")


def _graded(plan: MigrationPlan) -> Graded:
    estimate, result = plan.status.estimate, plan.status.result
    assert estimate is not None, plan.status
    assert result is not None, plan.status
    quantiles = estimate.duration_seconds
    assert quantiles is not None
    assert quantiles.p10 is not None
    return Graded(plan.name, quantiles.p10, quantiles.p50, quantiles.p90, result.duration_seconds, estimate.verdict)


def _hardware(random: Random, seed: int) -> list[dict[str, Any]]:
    line = random.choice(["125M", "1250M", "3125M"])
    template = {
        "cpu": {"sockets": 2, "coresPerSocket": 32},
        "memory": "1Ti",
        "disk": "20Ti",
        "nics": [
            {"name": "migration", "bandwidth": line, "role": "Migration"},
            {"name": "tenant", "bandwidth": "10G", "role": "Tenant"},
        ],
    }
    spec = {"replicas": random.randint(3, 8), "template": template, "driver": {"seed": seed}}
    return [cloud.manifest("NodePool", "p", spec), cloud.image("debian", TENANT)]


def _guests(random: Random) -> list[dict[str, Any]]:
    flavors = [_flavor(f"f{number}", random) for number in range(random.randint(1, 3))]
    return flavors + [
        cloud.manifest(
            "VirtualMachine",
            f"v{number}",
            {
                "flavorRef": {"name": f"f{random.randrange(len(flavors))}"},
                "imageRef": {"name": "debian"},
                "placement": {"nodePoolName": "p"},
            },
            TENANT,
        )
        for number in range(random.randint(2, 20))
    ]


def _flavor(name: str, random: Random) -> dict[str, Any]:
    model = {
        "hotSet": f"{random.choice([16, 32, 64, 128])}Mi",
        "dirtyRate": f"{random.choice([1, 4, 8, 16, 32])}Mi",
        "zeroPageRatio": f"{random.uniform(0, 0.4):.2f}",
        "dirtyNoise": str(random.choice([0.1, 0.2, 0.4])),
    }
    sizes = {"cpu": {"guest": 2}, "memory": {"guest": f"{random.choice([1, 2, 4, 8, 16])}Gi"}}
    return cloud.manifest("Flavor", name, {**sizes, "rootDisk": {"size": "10Gi"}, "model": model})


def _plan(name: str, random: Random, sim: Simulation) -> dict[str, Any]:
    vms = [vm for vm in sim.store.objects(VirtualMachine.KIND) if isinstance(vm, VirtualMachine)]
    host = random.choice([vm.status.host_name for vm in vms])
    drains = random.random() < 0.5
    some = sorted(random.sample([vm.name for vm in vms], random.randint(1, len(vms))))
    whom = {"hostName": host} if drains else {"virtualMachines": [{"name": vm} for vm in some]}
    overrides = {
        "maxDowntimeMs": random.choice([300, 600, 900]),
        "allowAutoConverge": random.random() < 0.3,
        "allowPostCopy": random.random() < 0.3,
    }
    spec = {**whom, "overrides": overrides, "retry": {"limit": 1}}
    return cloud.manifest("MigrationPlan", name, spec, OPERATOR_NAMESPACE if drains else TENANT)
