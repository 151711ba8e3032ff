"""A namespace that is deleted goes, with all that is in it, and what it used stays known."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any, cast

import pytest

from drover.api.meta import AnyResource, Key
from drover.api.usagerecord import UsageRecord
from drover.control.metering.daily import sums_of_record
from drover.model.usage import Line
from drover.sim import cloud
from drover.sim.network import PERFECT, ROUGH, Weather
from drover.sim.simulation import Simulation
from drover.sim.store import ApiError

GOING = "team-a"
NAMESPACE = Key("Namespace", "", GOING)


def in_namespace(sim: Simulation) -> list[AnyResource]:
    return [resource for resource in sim.store if resource.namespace == GOING]


def cloud_with_a_namespace(seed: int, weather: Weather) -> Simulation:
    sim = Simulation(seed, weather=weather)
    name = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": GOING, "finalizers": ["kubernetes"]}}
    for raw in (name, cloud.pool("a", 3, seed, "20"), cloud.flavor("small"), cloud.image("blank", GOING)):
        sim.store.create(raw, sim.now)
    sim.store.create(cloud.network("front", GOING), sim.now)
    create = sim.store.create

    def refusing(raw: dict[str, Any], now: Any) -> AnyResource:
        """As the API server's NamespaceLifecycle admission does."""
        home = sim.store.get(Key("Namespace", "", raw["metadata"].get("namespace", "")))
        if home is not None and home.deleting:
            raise ApiError(403, f"unable to create new content in namespace {home.name}: it is being terminated")
        return create(raw, now)

    sim.store.create = refusing  # type: ignore[method-assign]
    sim.start()
    return sim


def delete_namespace(sim: Simulation) -> None:
    """As the namespace controller does: everything is deleted, at once and again until nothing is left."""
    sim.store.delete(NAMESPACE, sim.now)

    def sweep() -> None:
        for resource in in_namespace(sim):
            if not resource.deleting:
                sim.store.delete(resource.key, sim.now)
        if in_namespace(sim):
            sim.timeline.after(5.0, "namespace controller", sweep)
        else:
            sim.store.patch(NAMESPACE, {"metadata": {"finalizers": []}})

    sweep()


def vm(sim: Simulation, name: str) -> None:
    disk = {"name": "data", "template": {"size": "10Gi"}}
    spec = {"flavorRef": {"name": "small"}, "imageRef": {"name": "blank"}, "volumes": [disk]}
    spec |= {"networks": [{"name": "eth0", "networkRef": {"name": "front"}}]}
    sim.store.create(cloud.manifest("VirtualMachine", name, spec, GOING), sim.now)


@pytest.mark.parametrize(("seed", "weather", "earlier"), [(1, PERFECT, 0), (2, PERFECT, 2), (3, ROUGH, 2)])
def test_it_is_not_held_up_and_its_estate_has_the_sums(seed: int, weather: Weather, earlier: int) -> None:
    """With and without records of its own by then."""
    sim = cloud_with_a_namespace(seed, weather)
    sim.run_until(sim.now + timedelta(seconds=30))
    for number in range(3):
        vm(sim, f"vm{number}")
    sim.run_until(sim.now + timedelta(minutes=5))
    for number in range(earlier):
        sim.store.delete(Key("VirtualMachine", GOING, f"vm{number}"), sim.now)
        sim.run_until(sim.now + timedelta(minutes=1))
    assert any(r.KIND == "UsageRecord" for r in in_namespace(sim)) == bool(earlier)
    (ledger,) = (shell.engine.world.usage for shell in sim.shells)
    before = Counter({line: n for space, line, n in ledger.totals(sim.now) if space == GOING})
    delete_namespace(sim)
    sim.run_until(sim.now + timedelta(minutes=3))
    assert in_namespace(sim) == []
    assert sim.store.get(NAMESPACE) is None
    (estate,) = cast("list[UsageRecord]", sim.store.objects("UsageRecord"))
    assert (estate.namespace, estate.of) == ("drover-system", GOING)
    ran = Counter[Line]()
    for (_, line), amount in sums_of_record(estate).items():
        ran[line] += amount
    assert {line.meter for line in ran} == {"vcpu", "memory", "instance", "volume", "address"}
    assert ran.keys() == (+before).keys() | {Line("volume", "root", "Running")}
    assert all(ran[line] >= amount for line, amount in before.items())
    after = Counter({line: n for space, line, n in ledger.totals(sim.now) if space == GOING})
    assert +after == ran
    assert ledger.watermark(sim.now) == sim.now
