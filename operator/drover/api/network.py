"""Network: an overlay segment with IPv4 subnets that VMs get their addresses from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Resource, Status
from drover.api.schema import Column, Count, ListMap, Rule, ShortName, immutable
from drover.api.usage import MeteredUsage

NetworkType = Literal["Overlay"]
NetworkPhase = Literal["Pending", "Active", "Down", "Failed", "Terminating"]

IPv4 = Annotated[str, Field(max_length=15)]

_IPV4_CIDR = "isCIDR(self) && cidr(self).ip().family() == 4"
_NUMBER = "int(o[0]) * 16777216 + int(o[1]) * 65536 + int(o[2]) * 256 + int(o[3])"


class AllocationPool(Model):
    """A range of addresses, both ends included."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[self.start, self.end].all(a, isIP(a) && ip(a).family() == 4)",
            "allocationPools start and end must be IPv4 addresses, such as 10.0.0.10",
        ),
        Rule(
            "![self.start, self.end].all(a, isIP(a) && ip(a).family() == 4)"
            f" || [[self.start.split('.'), self.end.split('.')].map(o, {_NUMBER})].all(n, n[0] <= n[1])",
            "allocationPools start must not be above end: swap them",
        ),
    )

    start: IPv4
    """First address."""
    end: IPv4
    """Last address."""


class Subnet(Model):
    """An IPv4 range of the network."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.gatewayIP) || !isCIDR(self.cidr)"
            " || (isIP(self.gatewayIP) && cidr(self.cidr).containsIP(self.gatewayIP))",
            "gatewayIP must be an address inside cidr",
        ),
        Rule(
            "!has(self.allocationPools) || !isCIDR(self.cidr) || self.allocationPools.all(p,"
            " !isIP(p.start) || !isIP(p.end)"
            " || (cidr(self.cidr).containsIP(p.start) && cidr(self.cidr).containsIP(p.end)))",
            "allocationPools must lie inside cidr",
        ),
        Rule(
            "has(self.gatewayIP) == has(oldSelf.gatewayIP)"
            " && (!has(self.gatewayIP) || self.gatewayIP == oldSelf.gatewayIP)",
            "gatewayIP is immutable: guests use it; add another subnet",
        ),
    )

    name: ShortName
    """Name of the subnet, unique in the network."""
    cidr: Annotated[
        str,
        Field(max_length=18),
        Rule(_IPV4_CIDR, "cidr must be an IPv4 range, such as 10.0.0.0/24"),
        Rule(
            f"!({_IPV4_CIDR}) || (cidr(self).prefixLength() >= 8 && cidr(self).prefixLength() <= 30)",
            "cidr must have a prefix length from /8 to /30",
        ),
        Rule(
            f"!({_IPV4_CIDR}) || cidr(self).masked() == cidr(self)",
            "cidr must be the network address, without host bits: 10.0.0.0/24, not 10.0.0.5/24",
        ),
        immutable("cidr", "add another subnet"),
    ]
    """The range, as 10.0.0.0/24; /8 to /30. Immutable."""
    gateway_ip: Annotated[IPv4 | None, Field(alias="gatewayIP")] = None
    """Address of the gateway, never given to a VM; the range's first address when absent. Immutable."""
    allocation_pools: Annotated[tuple[AllocationPool, ...], Field(max_length=8)] = ()
    """Where VM addresses come from; the whole range when absent."""


class NetworkSpec(Model):
    """The segment wanted."""

    type: Annotated[NetworkType, immutable("type", "create a new network")] = "Overlay"
    """Overlay: a segment of its own, whose number the operator picks. Immutable."""
    mtu: Annotated[int, Field(ge=1280, le=9216)] = 1450
    """Largest packet, in bytes; given to the guests' interfaces."""
    admin_state_up: bool = True
    """False: the network is Down, and VMs that need it wait."""
    shared: bool = False
    """True: VMs of other namespaces may use it."""
    subnets: Annotated[
        tuple[Subnet, ...],
        ListMap(("name",)),
        Field(min_length=1, max_length=16),
        Rule(
            "self.all(a, self.all(b, a.name == b.name || !isCIDR(a.cidr) || !isCIDR(b.cidr)"
            " || !cidr(a.cidr).containsCIDR(b.cidr)))",
            "subnets of one network must not overlap: change one cidr",
        ),
    ]
    """IPv4 ranges; at least one."""


class NetworkStatus(Status):
    """What the operator knows of a network."""

    phase: NetworkPhase | None = None
    """Where the network is in its life."""
    segmentation_id: Annotated[int | None, Field(alias="segmentationID", ge=1, le=16777215)] = None
    """The overlay segment number, unique in the cloud."""
    total_ips: Annotated[Count, Field(alias="totalIPs")] = 0
    """Addresses that VMs may get."""
    used_ips: Annotated[Count, Field(alias="usedIPs")] = 0
    """Addresses that VMs hold."""
    ports: Count = 0
    """VM interfaces on the network."""
    usage: MeteredUsage | None = None
    """What is charged for it: the addresses that VMs hold, of whatever namespace."""
    leader_epoch: Count | None = None
    """The operator instance that last owned this object, for fencing."""


class Network(Resource[NetworkSpec, NetworkStatus]):
    """An overlay network: one segment and the IPv4 subnets its virtual machines get addresses from."""

    KIND: ClassVar[str] = "Network"
    PLURAL: ClassVar[str] = "networks"
    SINGULAR: ClassVar[str] = "network"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("vnet",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Type", ".spec.type"),
        Column("Segment", ".status.segmentationID", "integer", 1),
        Column("CIDR", ".spec.subnets[0].cidr"),
        Column("Used", ".status.usedIPs", "integer"),
        Column("Total", ".status.totalIPs", "integer"),
        Column("Phase", ".status.phase"),
    )

    spec: NetworkSpec
    status: NetworkStatus = NetworkStatus()
