"""IP addresses, MAC addresses and segment ids."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.addresses import (
    MAX_SEGMENT_ID,
    AddressBook,
    AddressSpace,
    Exhausted,
    OutsideSubnet,
    SegmentsExhausted,
    Subnet,
    Taken,
    mac_address,
    overlapping,
    segment_id,
)


def addresses(*subnets: Subnet) -> list[str]:
    space = AddressSpace(subnets)
    return [space.address(number) for number in range(space.total)]


@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        (Subnet("10.0.0.0/29"), ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]),
        (Subnet("10.0.0.0/29", "10.0.0.6"), ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]),
        (Subnet("10.0.0.0/29", "10.0.0.3", (("10.0.0.2", "10.0.0.4"),)), ["10.0.0.2", "10.0.0.4"]),
        (Subnet("10.0.0.0/29", None, (("10.0.0.0", "10.0.0.2"), ("10.0.0.7", "10.0.0.7"))), ["10.0.0.2"]),
        (
            Subnet("10.0.0.0/28", None, (("10.0.0.4", "10.0.0.6"), ("10.0.0.3", "10.0.0.4"))),
            ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"],
        ),
        (Subnet("10.0.0.0/31"), ["10.0.0.1"]),
        (Subnet("10.0.0.0/32"), []),
        (Subnet("fd00::/126"), ["fd00::2", "fd00::3"]),
    ],
    ids=[
        "gateway is the first usable address unless given",
        "a given gateway",
        "a gateway inside a pool",
        "pools never give network or broadcast",
        "pools that overlap give each address once",
        "a /31 has no network and broadcast",
        "a /32 is its own gateway",
        "IPv6 has no broadcast",
    ],
)
def test_usable_addresses_of_a_subnet(subnet: Subnet, expected: list[str]) -> None:
    assert addresses(subnet) == expected


def test_subnets_are_used_in_the_order_given() -> None:
    assert addresses(Subnet("10.9.0.0/30"), Subnet("10.1.0.0/30")) == ["10.9.0.2", "10.1.0.2"]


@pytest.mark.parametrize(
    ("subnet", "message"),
    [
        (Subnet("10.0.0.0/24", "10.0.1.1"), "gateway 10.0.1.1 is outside 10.0.0.0/24"),
        (Subnet("10.0.0.0/24", None, (("10.0.0.9", "10.0.1.9"),)), "pool 10.0.1.9 is outside 10.0.0.0/24"),
        (
            Subnet("10.0.0.0/24", None, (("10.0.0.9", "10.0.0.8"),)),
            "pool 10.0.0.9-10.0.0.8 ends before it starts",
        ),
    ],
)
def test_a_subnet_that_contradicts_itself_is_an_error(subnet: Subnet, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AddressSpace([subnet])


@given(
    st.lists(st.sampled_from(["10.0.0.0/29", "10.1.0.0/28", "10.2.0.0/30", "fd00::/125"]), unique=True),
    st.data(),
)
def test_numbers_and_addresses_of_a_space_are_one_to_one(cidrs: list[str], data: st.DataObject) -> None:
    space = AddressSpace([Subnet(cidr) for cidr in cidrs])
    everything = [space.address(number) for number in range(space.total)]
    assert len(set(everything)) == space.total
    assert [space.number(address) for address in everything] == list(range(space.total))
    assert all(space.objection(address) is None for address in everything)
    stranger = data.draw(st.ip_addresses().map(str))
    assert (space.number(stranger) is not None) == (stranger in everything)


def test_overlapping_names_the_first_two_that_share_addresses() -> None:
    assert overlapping(["10.0.0.0/24", "fd00::/64", "10.0.0.128/25"]) == ("10.0.0.0/24", "10.0.0.128/25")
    assert overlapping(["10.0.0.0/24", "10.0.1.0/24", "fd00::/64"]) is None


@pytest.fixture
def book() -> AddressBook:
    """Three addresses, 10.0.0.2 to 10.0.0.4, in a wider subnet."""
    return AddressBook(AddressSpace([Subnet("10.0.0.0/24", None, (("10.0.0.2", "10.0.0.4"),))]))


def test_the_lowest_free_address_is_allocated_and_claims_nothing(book: AddressBook) -> None:
    book.set_claims("vm-1", {"10.0.0.2": "a/one"})
    assert book.allocate("a/two") == "10.0.0.3"
    assert book.allocate("a/two", exclude={"10.0.0.3"}) == "10.0.0.4"
    assert book.used == 1


def test_an_address_given_back_is_the_next_one_allocated(book: AddressBook) -> None:
    for number in (2, 3, 4):
        book.set_claims(number, {f"10.0.0.{number}": f"a/{number}"})
    assert book.allocate("a/five") == Exhausted(3, 3)
    book.set_claims(3, {})
    assert book.allocate("a/five") == "10.0.0.3"


def test_an_address_stated_by_two_contributors_is_held_until_both_let_go(book: AddressBook) -> None:
    book.set_claims("observed", {"10.0.0.2": "a/one"})
    book.set_claims("assumed", {"10.0.0.2": "a/one"})
    book.set_claims("observed", {})
    assert (book.used, book.holders("10.0.0.2")) == (1, frozenset({"a/one"}))
    assert not book.conflicts()
    book.set_claims("assumed", {})
    assert (book.used, book.holders("10.0.0.2")) == (0, frozenset())


def test_two_holders_of_one_address_are_a_conflict(book: AddressBook) -> None:
    book.set_claims("vm-1", {"10.0.0.2": "a/one"})
    book.set_claims("vm-2", {"10.0.0.2": "b/two", "10.0.0.3": "b/two"})
    assert book.conflicts() == {"10.0.0.2": {"a/one", "b/two"}}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("10.0.0.2", "address 10.0.0.2 is taken by a/one; ask for another one or leave it out"),
        ("10.0.0.1", "address 10.0.0.1 is the gateway of 10.0.0.0/24; ask for another one or leave it out"),
        (
            "10.0.0.255",
            "address 10.0.0.255 is the network or broadcast address of 10.0.0.0/24;"
            " ask for another one or leave it out",
        ),
        ("10.0.1.7", "address 10.0.1.7 is outside 10.0.0.0/24; ask for another one or leave it out"),
        ("10.0.0.300", "address 10.0.0.300 is not an IP address; ask for another one or leave it out"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused_with_the_mend(book: AddressBook, wanted: str, message: str) -> None:
    book.set_claims("vm-1", {"10.0.0.2": "a/one"})
    refusal = book.allocate("b/two", wanted)
    assert isinstance(refusal, Taken | OutsideSubnet)
    assert refusal.message == message


def test_an_address_asked_for_may_be_ones_own_or_outside_the_pools(book: AddressBook) -> None:
    book.set_claims("vm-1", {"10.0.0.2": "a/one"})
    assert book.allocate("a/one", "10.0.0.2") == "10.0.0.2"
    assert book.allocate("a/one", "10.0.0.77") == "10.0.0.77"


def test_an_address_outside_the_pools_is_held_but_not_used(book: AddressBook) -> None:
    book.set_claims("vm-1", {"10.0.0.77": "a/one"})
    assert (book.used, book.holders("10.0.0.77")) == (0, frozenset({"a/one"}))
    assert isinstance(book.allocate("b/two", "10.0.0.77"), Taken)
    book.set_claims("vm-1", {})
    assert book.allocate("b/two", "10.0.0.77") == "10.0.0.77"


def test_exhaustion_tells_the_numbers_and_the_mend(book: AddressBook) -> None:
    book.set_claims("vm-1", {f"10.0.0.{number}": "a/one" for number in (2, 3, 4)})
    refusal = book.allocate("b/two")
    assert isinstance(refusal, Exhausted)
    assert refusal.message == ("all 3 addresses are taken; delete a virtual machine or add a subnet to the network")


@given(st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(1, 14), max_size=4), st.booleans()), max_size=40))
def test_the_book_allocates_what_a_plain_search_finds(steps: list[tuple[int, set[int], bool]]) -> None:
    space = AddressSpace([Subnet("10.0.0.0/28", "10.0.0.6")])
    book = AddressBook(space)
    stated: dict[int, set[str]] = {}
    for contributor, numbers, look in steps:
        stated[contributor] = {f"10.0.0.{number}" for number in numbers}
        book.set_claims(contributor, dict.fromkeys(stated[contributor], f"a/{contributor}"))
        if look:  # looking moves the cursor, so not looking is a different path
            taken = set().union(*stated.values())
            free = [a for n in range(space.total) if (a := space.address(n)) not in taken]
            assert book.used == space.total - len(free)
            assert book.allocate("x") == (free[0] if free else Exhausted(space.total, space.total))


def test_a_full_16_bit_subnet_is_allocated_one_by_one_in_order() -> None:
    book = AddressBook(AddressSpace([Subnet("10.0.0.0/16")]))
    last = IPv4Address("10.0.0.1")
    for number in range(book.space.total):
        address = book.allocate("a/vm")
        assert isinstance(address, str)
        assert IPv4Address(address) > last
        last = IPv4Address(address)
        book.set_claims(number, {address: "a/vm"})
    assert book.allocate("a/vm") == Exhausted(65_533, 65_533)


@given(st.text(max_size=10), st.text(max_size=5), st.integers(0, 3))
def test_mac_addresses_are_unicast_local_stable_and_pass_over_taken_ones(uid: str, nic: str, collisions: int) -> None:
    taken: set[str] = set()
    for _ in range(collisions + 1):
        address = mac_address(uid, nic, taken)
        assert address not in taken
        assert address == mac_address(uid, nic, taken)
        assert address.startswith("02:")
        assert len(bytes.fromhex(address.replace(":", ""))) == 6
        taken.add(address)


def test_each_interface_of_a_machine_has_its_own_mac_address() -> None:
    assert len({mac_address(uid, nic, ()) for uid in ("u1", "u2") for nic in ("nic0", "nic1")}) == 4


@given(st.text(max_size=10), st.integers(0, 10))
def test_segment_ids_are_in_range_stable_and_pass_over_taken_ones(uid: str, collisions: int) -> None:
    taken: set[int] = set()
    for _ in range(collisions + 1):
        chosen = segment_id(uid, taken)
        assert isinstance(chosen, int)
        assert 1 <= chosen <= MAX_SEGMENT_ID
        assert chosen not in taken
        assert chosen == segment_id(uid, taken)
        taken.add(chosen)


def test_segment_ids_run_out_only_when_every_one_is_taken() -> None:
    assert segment_id("u1", range(1, MAX_SEGMENT_ID + 1)) == SegmentsExhausted()
    near_the_end = range(MAX_SEGMENT_ID - 5_000, MAX_SEGMENT_ID + 1)
    uid = next(uid for uid in map(str, count()) if segment_id(uid, ()) in near_the_end)
    assert segment_id(uid, near_the_end) == 1
