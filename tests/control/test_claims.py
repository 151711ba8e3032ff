"""What objects hold, counted from their status, on both sides of a write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import (
    active,
    edited,
    host,
    interface,
    later,
    migration,
    moving,
    network,
    placed,
    pool,
    taken,
    vm,
    volume,
    world_of,
)

from drover.api.meta import FINALIZER, Key, dump
from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.api.virtualmachinemigration import VirtualMachineMigration, VirtualMachineMigrationStatus
from drover.control.outcome import Outcome
from drover.control.world import World
from drover.control.world.books import Holdings
from drover.control.world.claims import host_row, is_up, migration_bandwidth
from drover.model.placement import NO_RESOURCES, Resources

SMALL = Resources(2000, 4 * 2**30, 20 * 2**30, 0)
NET = Key("Network", "default", "net")


def moved(resource: VirtualMachine, to: str) -> VirtualMachine:
    return resource.model_copy(update={"status": resource.status.model_copy(update={"host_name": to})})


def written(world: World, resource: VirtualMachine, status: VirtualMachineStatus) -> VirtualMachine:
    return taken(world, resource, Outcome(status=status))


# Hosts


def test_a_vm_is_charged_to_the_host_its_status_names_and_to_no_other() -> None:
    world = world_of(host("p1-0"), host("p1-1"), vm(status=placed("p1-0")))
    assert world.ledger.allocated("p1-0") == SMALL
    assert world.ledger.allocated("p1-1") == NO_RESOURCES


def test_until_a_move_is_answered_both_hosts_are_charged() -> None:
    a = vm(status=placed("p1-0"))
    world = world_of(host("p1-0"), host("p1-1"), a)
    world.assume(moved(a, "p1-1"))
    assert world.ledger.allocated("p1-0") == world.ledger.allocated("p1-1") == SMALL


def test_a_refused_move_gives_the_new_host_back() -> None:
    a = vm(status=placed("p1-0"))
    world = world_of(host("p1-0"), host("p1-1"), a)
    world.assume(moved(a, "p1-1"))
    world.settle(a.key)
    assert world.ledger.allocated("p1-0") == SMALL
    assert world.ledger.allocated("p1-1") == NO_RESOURCES


def test_an_accepted_move_gives_the_old_host_back() -> None:
    a = vm(status=placed("p1-0"))
    world = world_of(host("p1-0"), host("p1-1"), a)
    world.assume(moved(a, "p1-1"))
    written(world, a, moved(a, "p1-1").status)
    world.settle(a.key)
    assert world.ledger.allocated("p1-0") == NO_RESOURCES
    assert world.ledger.allocated("p1-1") == SMALL


def test_a_migration_holds_its_target_beside_the_vms_source() -> None:
    world = world_of(host("p1-0"), host("p1-1"), vm(status=placed("p1-0")), migration(status=moving("p1-1")))
    assert world.ledger.allocated("p1-0") == world.ledger.allocated("p1-1") == SMALL


def test_after_the_commit_vm_and_migration_charge_the_target_once() -> None:
    world = world_of(
        host("p1-0"), host("p1-1"), vm(status=placed("p1-1")), migration(status=moving("p1-1", phase="Activation"))
    )
    assert world.ledger.allocated("p1-1") == SMALL
    assert set(world.ledger.claims_on("p1-1")) == {vm().uid}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_a_migration_that_is_over_holds_nothing(phase: str) -> None:
    world = world_of(host("p1-1"), migration(status=moving("p1-1", phase=phase)))
    assert world.ledger.allocated("p1-1") == NO_RESOURCES


def test_a_vm_that_is_gone_holds_nothing() -> None:
    a = vm(status=placed("p1-0", interfaces=[interface("10.0.0.5")]))
    world = world_of(host("p1-0"), network(status=active()), a)
    world.gone(a.key, a.uid)
    assert world.ledger.allocated("p1-0") == NO_RESOURCES
    book = world.books.addresses.book(NET, "a")
    assert book is not None
    assert book.holders("10.0.0.5") == frozenset()
    assert len(world.books.macs) == 0


def test_claims_seen_before_their_host_count_once_it_appears() -> None:
    world = world_of(vm(status=placed("p1-0")))
    world.observe(host("p1-0"))
    assert world.ledger.allocated("p1-0") == SMALL


HOSTS = ("p1-0", "p1-1", "p1-2")
STEPS = st.lists(st.tuples(st.sampled_from(["move", "accept", "refuse"]), st.sampled_from(HOSTS)), max_size=20)


@given(STEPS)
def test_whatever_is_answered_when_every_host_either_side_names_is_charged_once(steps: list[tuple[str, str]]) -> None:
    a = vm(status=placed("p1-0"))
    world = world_of(*(host(name) for name in HOSTS), a)
    assumed: VirtualMachine | None = None
    for verb, to in steps:
        if verb == "move" and assumed is None:
            assumed = moved(a, to)
            world.assume(assumed)
        elif verb != "move" and assumed is not None:
            if verb == "accept":
                a = written(world, a, assumed.status)
            world.settle(a.key)
            assumed = None
        held = {a.status.host_name} | ({assumed.status.host_name} if assumed else set())
        assert {name for name in HOSTS if world.ledger.allocated(name) == SMALL} == held
        assert {name for name in HOSTS if world.ledger.allocated(name) == NO_RESOURCES} == set(HOSTS) - held


# What a host offers


def test_a_host_offers_its_threads_and_shared_cards_less_what_is_reserved_times_its_overcommit() -> None:
    row = host_row(host(failure_domain="z1"), None)
    assert row.total == Resources(16_000, 64 * 2**30, 2**40, 1_250_000_000)
    assert row.allocatable == Resources(64_000, 64 * 2**30 - 512 * 2**20, 2**40, 1_250_000_000)
    assert (row.pool, row.failure_domain, row.blocked) == ("p1", "z1", None)


def test_a_pools_strategy_reaches_the_hosts_it_has_whichever_is_seen_first() -> None:
    packing = pool(placement={"strategy": "Pack"})
    for objects in ((packing, host()), (host(), packing)):
        row = world_of(*objects).ledger.row("p1-0")
        assert row is not None
        assert row.strategy == "Pack"


@pytest.mark.parametrize(
    ("fields", "blocked"),
    [
        ({}, None),
        ({"unschedulable": True}, "cordoned"),
        ({"maintenance": {"mode": "Drain"}}, "in maintenance"),
        ({"fault": {"type": "Crash"}}, "not ready"),
        ({"power_state": "Off"}, "not ready"),
        ({"status": {}}, "not ready"),
        ({"deleting": True}, "being deleted"),
    ],
)
def test_a_host_that_takes_nothing_new_says_why(fields: dict[str, object], blocked: str | None) -> None:
    assert host_row(host(**fields), None).blocked == blocked  # type: ignore[arg-type]


def test_no_host_is_not_up() -> None:
    assert not is_up(None)
    assert is_up(host())


def test_migrations_use_their_own_cards_where_there_are_any_and_shared_ones_otherwise() -> None:
    def bandwidth(*roles: str) -> int:
        cards = [{"name": f"n{i}", "bandwidth": f"{i + 1}G", "role": role} for i, role in enumerate(roles)]
        raw = dump(host().spec.hardware)
        return migration_bandwidth(host(hardware=raw | {"nics": cards}))

    assert bandwidth("Shared") == 10**9
    assert bandwidth("Shared", "Migration", "Migration") == 5 * 10**9
    assert bandwidth("Tenant") == 0


# Addresses, MACs, segments, volumes


def test_addresses_and_macs_are_held_by_the_vm_whose_status_shows_them() -> None:
    world = world_of(network(status=active()), vm(status=placed(interfaces=[interface("10.0.0.5")])))
    book = world.books.addresses.book(NET, "a")
    assert book is not None
    assert book.holders("10.0.0.5") == {"default/a"}
    assert world.books.macs.holders(interface("10.0.0.5")["mac"]) == {vm().uid}


def test_addresses_seen_before_their_network_are_held_once_it_appears_and_kept_when_a_subnet_is_added() -> None:
    world = world_of(vm(status=placed(interfaces=[interface("10.0.0.5")])))
    net = network(status=active())
    world.observe(net)
    world.observe(
        edited(net, spec={"subnets": [{"name": "a", "cidr": "10.0.0.0/24"}, {"name": "b", "cidr": "10.1.0.0/24"}]})
    )
    book = world.books.addresses.book(NET, "a")
    assert book is not None
    assert book.holders("10.0.0.5") == {"default/a"}
    assert world.books.addresses.book(NET, "b") is not None


def test_a_network_that_is_gone_has_no_book() -> None:
    net = network(status=active())
    world = world_of(net)
    world.gone(net.key, net.uid)
    assert world.books.addresses.book(NET, "a") is None


def test_a_volume_is_held_by_every_vm_that_has_it_attached() -> None:
    disk = [{"name": "data", "volume": "data"}]
    world = world_of(volume(), vm("a", status=placed(volumes=disk)), vm("b", status=placed(volumes=disk)))
    assert world.books.attachments.holders(volume().key) == {vm("a").uid, vm("b").uid}


def test_two_sides_of_one_write_are_one_holder_of_a_segment() -> None:
    net = network(status=active(7))
    world = world_of(net)
    world.assume(net)
    assert world.books.segments.holders(7) == {net.uid}


def test_holdings_forget_what_a_contributor_no_longer_states() -> None:
    holdings = Holdings()
    holdings.state("x", "a", [1, 2])
    holdings.state("y", "b", [2])
    assert holdings.holders(2) == {"a", "b"}
    holdings.state("x", "a", [1])
    assert holdings.holders(2) == {"b"}
    holdings.state("x", "a", [])
    holdings.state("y", "b", [])
    assert len(holdings) == 0
    assert 1 not in holdings


def test_contradicting_claims_are_named() -> None:
    big = placed("p1-0", memory="60Gi")
    first, second = network("one", status=active(7)), network("two", status=active(7))
    world = world_of(host("p1-0"), vm("a", status=big), vm("b", status=big), first, second)
    assert world.books.violations() == ["host p1-0 is claimed above its memory", "segment 7 has 2 holders"]
    assert world_of(host("p1-0"), vm("a", status=big), first).books.violations() == []


def test_a_status_without_a_size_or_a_host_claims_nothing() -> None:
    world = world_of(
        host("p1-0"),
        vm("a", status={"phase": "Stopped"}),
        migration(status={"phase": "Pending"}),
    )
    assert world.ledger.allocated("p1-0") == NO_RESOURCES


def test_a_deleted_vm_holds_what_its_status_shows_until_it_is_gone() -> None:
    a = vm(status=placed("p1-0"), deleting=True)
    world = world_of(host("p1-0"), a)
    assert a.metadata.finalizers == (FINALIZER,)
    assert world.ledger.allocated("p1-0") == SMALL
    assert later(0) == a.metadata.deletion_timestamp


def test_an_assumed_migration_counts_at_once() -> None:
    m = migration(status={"phase": "Pending"})
    world = world_of(host("p1-1"), m)
    claimed = migration(status=moving("p1-1"))
    assert isinstance(claimed, VirtualMachineMigration)
    assert isinstance(claimed.status, VirtualMachineMigrationStatus)
    world.assume(claimed)
    assert world.ledger.allocated("p1-1") == SMALL
    world.settle(m.key)
    assert world.ledger.allocated("p1-1") == NO_RESOURCES
