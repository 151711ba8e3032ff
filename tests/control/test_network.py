"""Network: segment, addresses, up and down, deletion."""

from __future__ import annotations

import pytest
from worlds import (
    NOW,
    active,
    assert_settled,
    edited,
    interface,
    message,
    network,
    reasons,
    taken,
    told,
    vm,
    world_of,
)

from drover.control.network import reconcile
from drover.control.outcome import Outcome
from drover.model.addresses import segment_id


def test_a_new_network_gets_the_segment_its_uid_gives() -> None:
    net = network()
    world = world_of(net)
    outcome = reconcile(net, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Active"
    assert outcome.status.segmentation_id == segment_id(net.uid, [])
    assert reasons(outcome) == {"Ready": ("True", "Active"), "AddressesAvailable": ("True", "Available")}
    assert told(outcome) == ["SegmentAllocated"]
    assert_settled(reconcile, net, world, NOW)


def test_a_segment_in_use_is_passed_over() -> None:
    net = network()
    derived = segment_id(net.uid, [])
    assert isinstance(derived, int)
    world = world_of(network("first", status=active(derived)), net)
    outcome = reconcile(net, world, NOW)
    assert outcome.status is not None
    assert outcome.status.segmentation_id == derived + 1


def test_of_two_networks_on_one_segment_the_later_uid_takes_another() -> None:
    first, second = network("a", status=active(7)), network("b", status=active(7))
    world = world_of(first, second)
    stays, moves = reconcile(first, world, NOW).status, reconcile(second, world, NOW).status
    assert stays is not None
    assert moves is not None
    assert stays.segmentation_id == 7
    assert moves.segmentation_id != 7


def test_a_network_with_ports_keeps_a_contested_segment_and_says_so() -> None:
    first, second = network("a", status=active(7)), network("b", status=active(7))
    user = vm(status={"interfaces": [interface("10.0.0.2", network="default/b")]})
    outcome = reconcile(second, world_of(first, second, user), NOW)
    assert outcome.status is not None
    assert outcome.status.segmentation_id == 7
    assert reasons(outcome)["Ready"] == ("False", "SegmentConflict")


def test_subnets_that_share_addresses_stall_the_network() -> None:
    subnets = [{"name": "a", "cidr": "10.0.0.0/24"}, {"name": "b", "cidr": "10.0.0.128/25"}]
    net = network(subnets=subnets)
    outcome = reconcile(net, world_of(net), NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Failed"
    assert reasons(outcome)["Ready"] == ("False", "SubnetOverlap")
    assert reasons(outcome)["Stalled"] == ("True", "SubnetOverlap")
    assert "10.0.0.0/24 and 10.0.0.128/25" in message(outcome, "Ready")


def test_admin_state_down_and_up_again() -> None:
    net = network(admin_state_up=False, status=active())
    outcome = reconcile(net, world_of(net), NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Down"
    assert reasons(outcome)["Ready"] == ("False", "AdminDown")
    up = network(admin_state_up=True, status={**active(), "phase": "Down"})
    again = reconcile(up, world_of(up), NOW).status
    assert again is not None
    assert again.phase == "Active"


@pytest.mark.parametrize(
    ("used", "status", "reason", "event"),
    [
        (0, "True", "Available", []),
        (9, "True", "Available", []),
        (10, "True", "NearlyExhausted", []),
        (11, "False", "Exhausted", ["AddressPoolExhausted"]),
    ],
)
def test_addresses_are_counted_against_the_pools(used: int, status: str, reason: str, event: list[str]) -> None:
    pools = [{"start": "10.0.0.10", "end": "10.0.0.20"}]
    net = network(subnets=[{"name": "a", "cidr": "10.0.0.0/24", "allocationPools": pools}], status=active())
    users = [vm(f"vm-{n}", status={"interfaces": [interface(f"10.0.0.{10 + n}")]}) for n in range(used)]
    world = world_of(net, *users)
    outcome = reconcile(net, world, NOW)
    assert outcome.status is not None
    assert (outcome.status.used_ips, outcome.status.total_ips, outcome.status.ports) == (used, 11, used)
    assert reasons(outcome)["AddressesAvailable"] == (status, reason)
    assert f"{used} of 11" in message(outcome, "AddressesAvailable")
    assert told(outcome) == event
    assert told(reconcile(taken(world, net, outcome), world, NOW)) == []


def test_a_network_stays_while_a_vm_holds_an_address_on_it() -> None:
    net = network(deleting=True, status=active())
    holder = vm("a", status={"interfaces": [interface("10.0.0.2")]})
    outcome = reconcile(net, world_of(net, holder), NOW)
    assert reasons(outcome)["Terminating"] == ("True", "InUse")
    assert "default/a" in message(outcome, "Terminating")
    assert told(outcome) == ["DeletionBlocked"]


def test_a_vm_that_only_asks_for_the_network_does_not_keep_it() -> None:
    net = network(deleting=True, status=active())
    asking = vm("a", networks=[{"name": "eth0", "network_ref": {"name": "net"}}])
    assert reconcile(net, world_of(net, asking), NOW) == Outcome(protect=False)


def test_a_network_stays_until_the_write_that_releases_it_is_answered() -> None:
    net, user = network(deleting=True, status=active()), vm("a", status={"interfaces": [interface("10.0.0.2")]})
    world = world_of(net, user)
    released = user.model_copy(update={"status": user.status.model_copy(update={"interfaces": ()})})
    world.assume(released)
    assert reconcile(net, world, NOW) == Outcome()
    world.observe(edited(released))
    world.settle(user.key)
    assert reconcile(net, world, NOW) == Outcome(protect=False)
