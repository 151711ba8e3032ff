"""Addresses on networks: IP addresses, MAC addresses and overlay segment ids.

Everything here is deterministic: the lowest free IP address, and MAC addresses and segment ids derived from
uids, so that a controller that decides again after a crash decides the same.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Collection, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import accumulate, combinations, count
from typing import Final

MAX_SEGMENT_ID: Final = 2**24 - 1
"""The largest VXLAN network identifier (RFC 7348, section 5)."""

IPNetwork = IPv4Network | IPv6Network
IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Subnet:
    """A range of addresses as its owner writes it."""

    cidr: str
    gateway: str | None = None
    """The gateway's address; None takes the first usable one."""
    pools: tuple[tuple[str, str], ...] = ()
    """First and last address of each range to allocate from; none means the whole subnet."""


@dataclass(frozen=True)
class Exhausted:
    """Every address is taken."""

    used: int
    total: int

    @property
    def message(self) -> str:
        return f"all {self.total} addresses are taken; delete a virtual machine or add a subnet to the network"


@dataclass(frozen=True)
class Taken:
    """The address asked for has a holder already."""

    address: str
    by: str

    @property
    def message(self) -> str:
        return f"address {self.address} is taken by {self.by}; ask for another one or leave it out"


@dataclass(frozen=True)
class OutsideSubnet:
    """The address asked for is not one a virtual machine can have on this network."""

    address: str
    why: str

    @property
    def message(self) -> str:
        return f"address {self.address} {self.why}; ask for another one or leave it out"


AddressRefusal = Exhausted | Taken | OutsideSubnet


@dataclass(frozen=True)
class SegmentsExhausted:
    """Every segment id is taken."""

    @property
    def message(self) -> str:
        return f"all {MAX_SEGMENT_ID} segment ids are taken; delete a network"


def overlapping(cidrs: Iterable[str]) -> tuple[str, str] | None:
    """The first two CIDRs that share addresses, if any."""
    pairs = combinations([(cidr, ip_network(cidr, strict=False)) for cidr in cidrs], 2)
    return next(((a, b) for (a, net_a), (b, net_b) in pairs if net_a.overlaps(net_b)), None)


class AddressSpace:
    """The addresses that can be allocated on a network, numbered from 0 in the order of its subnets.

    Network and broadcast addresses (RFC 3021: a /31 and a /32 have none) and gateways are never among them.
    Raises ValueError for what is not a CIDR or an address, and for a gateway or pool outside its subnet.
    """

    def __init__(self, subnets: Sequence[Subnet]) -> None:
        self._subnets = [_Plan(subnet) for subnet in subnets]
        self._ranges = [span for plan in self._subnets for span in plan.ranges]
        self._firsts = [0, *accumulate(last - first + 1 for _, first, last in self._ranges)]
        self.total: int = self._firsts[-1]
        """How many addresses there are."""

    def address(self, number: int) -> str:
        index = bisect_right(self._firsts, number) - 1
        version, first, _ = self._ranges[index]
        return str(_address(version, first + number - self._firsts[index]))

    def number(self, address: str) -> int | None:
        """The number of the address, or None where it is not one to allocate."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return None
        for start, (version, first, last) in zip(self._firsts, self._ranges, strict=False):
            if version == parsed.version and first <= int(parsed) <= last:
                return start + int(parsed) - first
        return None

    def objection(self, address: str) -> str | None:
        """Why a virtual machine cannot have the address; None where it can.

        As in Neutron, an address outside the allocation pools may be asked for by name.
        """
        try:
            parsed = ip_address(address)
        except ValueError:
            return "is not an IP address"
        plan = next((plan for plan in self._subnets if parsed in plan.network), None)
        if plan is None:
            return "is outside " + " and ".join(str(plan.network) for plan in self._subnets)
        if parsed == plan.gateway:
            return f"is the gateway of {plan.network}"
        if not plan.first <= int(parsed) <= plan.last:
            return f"is the network or broadcast address of {plan.network}"
        return None


Range = tuple[int, int, int]
"""IP version, first and last address."""


class _Plan:
    """A subnet, parsed."""

    def __init__(self, subnet: Subnet) -> None:
        self.network: IPNetwork = ip_network(subnet.cidr, strict=False)
        spare = 1 if self.network.num_addresses > 2 else 0
        self.first = int(self.network.network_address) + spare
        # IPv6 has no broadcast; its lowest address is the routers' anycast address (RFC 4291, section 2.6.1).
        self.last = int(self.network.broadcast_address) - (spare if self.network.version == 4 else 0)
        self.gateway = self._inside(subnet.gateway, "gateway") if subnet.gateway else self._at(self.first)
        self.ranges = list(self._allocatable(subnet.pools))

    def _allocatable(self, pools: Iterable[tuple[str, str]]) -> Iterable[Range]:
        spans = [(int(self._inside(a, "pool")), int(self._inside(b, "pool"))) for a, b in pools]
        gateway = int(self.gateway)
        next_free = self.first
        for first, last in sorted(spans) or [(self.first, self.last)]:
            if first > last:
                raise ValueError(f"pool {self._at(first)}-{self._at(last)} ends before it starts")
            start, end = max(first, next_free), min(last, self.last)
            for a, b in ((start, min(end, gateway - 1)), (max(start, gateway + 1), end)):
                if a <= b:
                    yield self.network.version, a, b
            next_free = max(next_free, end + 1)

    def _inside(self, address: str, what: str) -> IPAddress:
        parsed = ip_address(address)
        if parsed not in self.network:
            raise ValueError(f"{what} {address} is outside {self.network}")
        return parsed

    def _at(self, number: int) -> IPAddress:
        return _address(self.network.version, number)


class AddressBook:
    """Who holds which address of one network.

    A contributor (a virtual machine as observed, or as assumed by a write in flight) states all the addresses
    it sees held; an address stated by several contributors is still one address. Finding the lowest free one
    costs amortised O(log n): those given back wait in a heap, all others lie above ``_fresh``.
    """

    def __init__(self, space: AddressSpace) -> None:
        self.space = space
        self._claims: dict[Hashable, Mapping[str, str]] = {}
        self._holders: dict[str, dict[Hashable, str]] = {}
        self._taken: set[int] = set()
        self._freed: list[int] = []
        self._waiting: set[int] = set()
        self._fresh = 0

    @property
    def used(self) -> int:
        """How many addresses of the space are held."""
        return len(self._taken)

    def set_claims(self, contributor: Hashable, claims: Mapping[str, str]) -> None:
        """Replaces all the contributor states: holders by address, in canonical spelling.

        A holder is named as messages should name it, such as ``namespace/name``. Addresses outside the space
        count as held, but not as used.
        """
        for address in self._claims.pop(contributor, {}):
            self._release(address, contributor)
        if claims:
            self._claims[contributor] = dict(claims)
        for address, holder in claims.items():
            self._holders.setdefault(address, {})[contributor] = holder
            if (number := self.space.number(address)) is not None:
                self._taken.add(number)

    def holders(self, address: str) -> frozenset[str]:
        """Who holds the address: nobody, one, or by mistake several."""
        return frozenset(self._holders.get(address, {}).values())

    def conflicts(self) -> dict[str, frozenset[str]]:
        """The addresses that have more than one holder."""
        return {address: holders for address in self._holders if len(holders := self.holders(address)) > 1}

    def allocate(self, holder: str, wanted: str | None = None, exclude: Container[str] = ()) -> str | AddressRefusal:
        """The wanted address or else the lowest free one, passing over ``exclude``. Claims nothing."""
        if wanted is not None:
            return self._allow(holder, wanted)
        for number in self._free_numbers():
            if (address := self.space.address(number)) not in exclude:
                return address
        return Exhausted(self.used, self.space.total)

    def _allow(self, holder: str, wanted: str) -> str | AddressRefusal:
        if why := self.space.objection(wanted):
            return OutsideSubnet(wanted, why)
        address = str(ip_address(wanted))
        if others := self.holders(address) - {holder}:
            return Taken(address, ", ".join(sorted(others)))
        return address

    def _release(self, address: str, contributor: Hashable) -> None:
        holders = self._holders[address]
        del holders[contributor]
        if holders:
            return
        del self._holders[address]
        number = self.space.number(address)
        if number is None:
            return
        self._taken.discard(number)
        if number < self._fresh and number not in self._waiting:
            self._waiting.add(number)
            heapq.heappush(self._freed, number)

    def _free_numbers(self) -> Iterator[int]:
        """Free numbers, lowest first."""
        while self._freed and self._freed[0] in self._taken:
            self._waiting.discard(heapq.heappop(self._freed))
        while self._fresh in self._taken:
            self._fresh += 1
        if self._freed:
            yield self._freed[0]
            yield from sorted(number for number in self._freed[1:] if number not in self._taken)
        yield from (number for number in range(self._fresh, self.space.total) if number not in self._taken)


def mac_address(uid: str, nic: str, taken: Container[str]) -> str:
    """A locally administered unicast MAC address for one interface of a virtual machine.

    The same arguments give the same address; where it is taken, the next in a fixed sequence. ``taken`` has
    lower-case addresses with colons.
    """
    digests = (sha256(f"{uid}/{nic}/{attempt}".encode()).digest() for attempt in count())
    candidates = (":".join(f"{byte:02x}" for byte in (0x02, *digest[:5])) for digest in digests)
    return next(candidate for candidate in candidates if candidate not in taken)


def segment_id(uid: str, taken: Collection[int]) -> int | SegmentsExhausted:
    """A segment id from 1 to ``MAX_SEGMENT_ID`` for a network; where it is taken, the next free one.

    ``taken`` has distinct ids of that range.
    """
    if len(taken) >= MAX_SEGMENT_ID:
        return SegmentsExhausted()
    start = int.from_bytes(sha256(uid.encode()).digest()[:8])
    candidates = ((start + offset) % MAX_SEGMENT_ID + 1 for offset in count())
    return next(candidate for candidate in candidates if candidate not in taken)


def _address(version: int, number: int) -> IPAddress:
    return IPv4Address(number) if version == 4 else IPv6Address(number)
