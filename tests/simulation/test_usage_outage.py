"""No record can be written for a day: VMs come, change and run as ever, and nothing they used is lost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import cast

from drover.api.meta import AnyResource, Key
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine
from drover.control.metering.pending import OFFERED
from drover.control.ports import Refused, Write, Written
from drover.model.usage import Line
from drover.sim import cloud
from drover.sim.clock import START
from drover.sim.simulation import Simulation

VM = Key("VirtualMachine", "team-a", "web")
TOGGLES = 2 * OFFERED + 3
"""Stops and starts: more than an object's own list has room for."""


def cloud_with_an_outage(until: datetime) -> Simulation:
    """Whose API server refuses UsageRecords until then."""
    sim = Simulation(1)
    for raw in (cloud.pool("a", 2, 1, "20"), cloud.flavor("small"), cloud.image("blank", "team-a")):
        sim.store.create(raw, sim.now)
    execute = sim.store.execute

    def refusing(write: Write, now: datetime) -> Written | Refused:
        if write.key.kind == UsageRecord.KIND and now < until:
            return Refused(write.id, 422, "UsageRecord is invalid")
        return execute(write, now)

    sim.store.execute = refusing  # type: ignore[method-assign]
    sim.start()
    return sim


def web(sim: Simulation) -> VirtualMachine:
    return cast(VirtualMachine, sim.store.get(VM))


def test_an_outage_of_records_blocks_nothing_but_deletion_and_loses_nothing() -> None:
    """That nothing is lost or twice at any step is an invariant of the simulation."""
    until = START + timedelta(hours=25)
    sim = cloud_with_an_outage(until)
    sim.run_until(START + timedelta(seconds=30))
    spec = {"flavorRef": {"name": "small"}, "imageRef": {"name": "blank"}}
    sim.store.create(cloud.manifest("VirtualMachine", VM.name, spec, VM.namespace), sim.now)
    for number in range(TOGGLES):
        sim.run_until(sim.now + timedelta(hours=1))
        assert web(sim).status.phase == ("Stopped" if number % 2 else "Running")
        strategy = "Always" if number % 2 else "Halted"
        sim.store.patch(VM, {"spec": {"runStrategy": strategy}})
    sim.run_until(until - timedelta(hours=1))
    usage = web(sim).status.usage
    assert usage is not None
    assert len(usage.pending) == OFFERED + 1
    assert usage.pending[-1].seq == TOGGLES
    assert {row.day for row in usage.pending[-1].amounts} == {"2026-01-05"}
    sim.store.delete(VM, sim.now)
    sim.run_until(until)
    assert web(sim).deleting
    sim.run_until(until + timedelta(minutes=5))
    assert sim.store.get(VM) is None
    (record,) = cast("list[AnyResource]", sim.store.objects(UsageRecord.KIND))
    ran = Counter({Line(row.meter, row.sku, row.state): row.total for row in record.status.sums})
    assert ran[Line("instance", "small", "Running")] == usage.closed.instance_millis
    assert {line.state for line in ran} == {"Running", "Stopped"}
