"""Addresses and MACs of a VM's interfaces: kept once given, else asked for, else the lowest free one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import active, interface, network, placed, vm, world_of

from drover.api.virtualmachine import Interface, VirtualMachine
from drover.control.virtualmachine.interfaces import NoAddress, allocate_interfaces
from drover.control.world import World


def nic(name: str = "eth0", **fields: Any) -> dict[str, Any]:
    return {"name": name, "network_ref": {"name": "net"}, **fields}


def net(**fields: Any) -> Any:
    return network(status=active(), **fields)


def given_to(subject: VirtualMachine, world: World) -> tuple[Interface, ...]:
    answer = allocate_interfaces(subject, world)
    assert not isinstance(answer, NoAddress), answer.message
    return answer


def refused(subject: VirtualMachine, world: World) -> NoAddress:
    answer = allocate_interfaces(subject, world)
    assert isinstance(answer, NoAddress), answer
    return answer


def test_a_vm_without_networks_has_no_interfaces() -> None:
    assert given_to(vm(), world_of()) == ()


def test_the_lowest_free_address_is_given_with_the_vms_own_mac() -> None:
    other = vm("b", status=placed(interfaces=[interface("10.0.0.2")]))
    (got,) = given_to(vm(networks=[nic()]), world_of(net(), other))
    assert (got.name, got.ip_address, got.network, got.subnet) == ("eth0", "10.0.0.3", "default/net", "a")
    assert got.mac.startswith("02:")


def test_what_was_given_is_kept_whatever_else_is_free() -> None:
    subject = vm(networks=[nic()], status=placed(interfaces=[interface("10.0.0.77")]))
    (got,) = given_to(subject, world_of(net(), subject))
    assert got.ip_address == "10.0.0.77"


@pytest.mark.parametrize("asked", [{"ip_address": "10.0.0.9"}, {"mac_address": "02:00:00:00:00:09"}, {"subnet": "b"}])
def test_what_is_no_longer_what_the_spec_asks_for_is_given_anew(asked: dict[str, str]) -> None:
    subnets = [{"name": "a", "cidr": "10.0.0.0/24"}, {"name": "b", "cidr": "10.1.0.0/24"}]
    subject = vm(networks=[nic(**asked)], status=placed(interfaces=[interface("10.0.0.77")]))
    (got,) = given_to(subject, world_of(net(subnets=subnets), subject))
    shown = {"ip_address": got.ip_address, "mac_address": got.mac, "subnet": got.subnet}
    assert shown | asked == shown
    assert got.ip_address != "10.0.0.77"


def test_two_interfaces_on_one_network_have_two_addresses_and_two_macs() -> None:
    subject = vm(networks=[nic("eth0"), nic("eth1"), nic("eth2")])
    got = given_to(subject, world_of(net(), subject))
    assert [one.ip_address for one in got] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    assert len({one.mac for one in got}) == 3


def test_when_a_subnet_is_full_the_next_one_is_used() -> None:
    subnets = [{"name": "a", "cidr": "10.0.0.0/30"}, {"name": "b", "cidr": "10.1.0.0/24"}]
    other = vm("b", status=placed(interfaces=[interface("10.0.0.2")]))
    (got,) = given_to(vm(networks=[nic()]), world_of(net(subnets=subnets), other))
    assert (got.subnet, got.ip_address) == ("b", "10.1.0.2")


def test_when_all_are_taken_the_vm_waits_for_one_to_come_free() -> None:
    other = vm("b", status=placed(interfaces=[interface("10.0.0.2")]))
    answer = refused(vm(networks=[nic()]), world_of(net(cidr="10.0.0.0/30"), other))
    assert not answer.stalled
    assert "all 1 addresses are taken" in answer.message


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("10.0.0.2", "is taken by default/b"),
        ("10.0.0.1", "is the gateway"),
        ("10.0.0.255", "broadcast"),
        ("192.168.0.9", "is outside 10.0.0.0/24"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused_for_good(address: str, words: str) -> None:
    other = vm("b", status=placed(interfaces=[interface("10.0.0.2")]))
    answer = refused(vm(networks=[nic(ip_address=address)]), world_of(net(), other))
    assert answer.stalled
    assert words in answer.message


def test_of_several_subnets_the_one_an_address_lies_in_says_why_it_is_refused() -> None:
    subnets = [{"name": "a", "cidr": "10.0.0.0/24"}, {"name": "b", "cidr": "10.1.0.0/24"}]
    other = vm("b", status=placed(interfaces=[interface("10.0.0.2")]))
    subject = vm(networks=[nic(ip_address="10.0.0.2")])
    assert "is taken by default/b" in refused(subject, world_of(net(subnets=subnets), other)).message


def test_an_address_asked_for_twice_by_one_vm_is_refused_and_named() -> None:
    subject = vm(networks=[nic("eth0", ip_address="10.0.0.9"), nic("eth1", ip_address="10.0.0.9")])
    answer = refused(subject, world_of(net(), subject))
    assert answer.stalled
    assert "10.0.0.9 is taken by another interface of this VM" in answer.message


def test_an_interface_that_takes_over_anothers_address_leaves_that_one_a_new_one() -> None:
    held = [interface("10.0.0.2", name="eth0"), interface("10.0.0.3", name="eth1")]
    subject = vm(networks=[nic("eth0", ip_address="10.0.0.3"), nic("eth1")], status=placed(interfaces=held))
    got = given_to(subject, world_of(net(), subject))
    assert len({one.ip_address for one in got}) == 2
    assert got[0].ip_address == "10.0.0.3"


def test_a_mac_in_use_by_another_is_refused_and_ones_own_is_not() -> None:
    held = interface("10.0.0.5")
    other = vm("b", status=placed(interfaces=[held]))
    answer = refused(vm(networks=[nic(mac_address=held["mac"])]), world_of(net(), other))
    assert answer.stalled
    assert f"MAC {held['mac']} is taken" in answer.message
    own = vm("b", networks=[nic(mac_address=held["mac"], ip_address="10.0.0.6")], status=placed(interfaces=[held]))
    assert given_to(own, world_of(net(), own))[0].mac == held["mac"]


def test_a_mac_asked_for_twice_by_one_vm_is_refused() -> None:
    mac = "02:00:00:00:00:01"
    subject = vm(networks=[nic("eth0", mac_address=mac), nic("eth1", mac_address=mac)])
    assert "is taken" in refused(subject, world_of(net(), subject)).message


def test_a_derived_mac_that_another_vm_holds_is_passed_over() -> None:
    subject = vm(networks=[nic()])
    (first,) = given_to(subject, world_of(net()))
    taken = interface("10.0.0.9") | {"mac": first.mac}
    (second,) = given_to(subject, world_of(net(), vm("b", status=placed(interfaces=[taken]))))
    assert second.mac != first.mac


@given(st.sets(st.integers(2, 14)), st.integers(1, 4))
def test_addresses_given_are_free_distinct_and_the_same_when_asked_again(taken: set[int], count: int) -> None:
    others = [vm(f"o{n}", status=placed(interfaces=[interface(f"10.0.0.{n}")])) for n in taken]
    subject = vm(networks=[nic(f"eth{n}") for n in range(count)])
    world = world_of(net(cidr="10.0.0.0/28"), *others)
    answer = allocate_interfaces(subject, world)
    if 13 - len(taken) < count:
        assert isinstance(answer, NoAddress)
        return
    assert not isinstance(answer, NoAddress)
    numbers = [int(one.ip_address.rpartition(".")[2]) for one in answer]
    assert numbers == sorted(set(range(2, 15)) - taken)[:count]
    assert allocate_interfaces(subject, world) == answer
