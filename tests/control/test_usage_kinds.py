"""Volumes and networks are charged by what their status shows, from the very PATCH that shows it."""

from __future__ import annotations

from worlds import (
    NOW,
    active,
    edited,
    finished,
    interface,
    later,
    network,
    provisioned,
    taken,
    vm,
    volume,
    world_of,
)

from drover.control.network import reconcile as reconcile_network
from drover.control.volume import reconcile as reconcile_volume

GIB = 2**30


def test_a_volume_is_charged_by_its_capacity_and_class_from_when_it_is_provisioned() -> None:
    disk = volume(class_name="ssd")
    world = world_of(disk)
    outcome = reconcile_volume(disk, world, NOW)
    disk = taken(world, disk, outcome)
    assert disk.status.usage is None
    outcome = reconcile_volume(disk, world, finished(world, outcome))
    assert outcome.status is not None
    assert outcome.status.capacity == "10Gi"
    opened = outcome.status.usage.open
    assert (opened.seq, opened.since, opened.state) == (1, later(1.5), "Provisioned")
    assert [(charge.meter, charge.sku, charge.rate) for charge in opened.charges] == [("volume", "ssd", 10 * GIB)]


def test_a_volume_that_has_grown_is_charged_for_more_from_then_on() -> None:
    disk = volume(status=provisioned())
    world = world_of(disk)
    disk = taken(world, disk, reconcile_volume(disk, world, NOW))
    disk = edited(disk, spec={"size": "20Gi"})
    world.observe(disk)
    growing = reconcile_volume(disk, world, later(60))
    disk = taken(world, disk, growing)
    assert [charge.rate for charge in disk.status.usage.open.charges] == [10 * GIB]
    at = finished(world, growing)
    disk = taken(world, disk, reconcile_volume(disk, world, at))
    usage = disk.status.usage
    assert [charge.rate for charge in usage.open.charges] == [20 * GIB]
    assert [(one.seq, one.since, one.until) for one in usage.pending] == [(1, NOW, at)]
    assert (usage.open.seq, usage.open.since) == (2, at)


def test_a_network_is_charged_by_the_addresses_that_its_status_shows() -> None:
    net = network(status=active())
    world = world_of(net)
    net = taken(world, net, reconcile_network(net, world, NOW))
    assert net.status.usage is None
    held = [interface("10.0.0.2"), interface("10.0.0.3", name="eth1")]
    world.observe(vm(status={"interfaces": held}))
    net = taken(world, net, reconcile_network(net, world, later(10)))
    assert net.status.used_ips == 2
    opened = net.status.usage.open
    assert (opened.since, opened.state, opened.charges[0].meter, opened.charges[0].rate) == (
        later(10),
        "Allocated",
        "address",
        2,
    )
    user = vm()
    world.gone(user.key, user.uid)
    net = taken(world, net, reconcile_network(net, world, later(70)))
    assert (net.status.used_ips, net.status.usage.open) == (0, None)
    assert [(one.since, one.until) for one in net.status.usage.pending] == [(later(10), later(70))]
