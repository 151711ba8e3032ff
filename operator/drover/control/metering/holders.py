"""What the ledger reads of an object that is metered: a VM, a volume or a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from drover.api.meta import AnyResource, Key
from drover.api.network import Network
from drover.api.usage import Meter, MeteredUsage, OpenCharge
from drover.api.virtualmachine import OpenUsage, Usage, VirtualMachine
from drover.api.volume import Volume
from drover.control.metering.pending import Pending, rates_of
from drover.control.virtualmachine.usage import charges_of
from drover.model.usage import Line, Rates, milliseconds

COMPUTE: Final[tuple[Meter, ...]] = ("vcpu", "memory", "instance")
METERED = (VirtualMachine.KIND, Volume.KIND, Network.KIND)


@dataclass(frozen=True, slots=True)
class Holder:
    """A metered object, as the API server has it."""

    key: Key
    uid: str
    pending: Pending
    since: int
    """When what is running began, in Unix milliseconds."""
    rates: Rates
    """What is running; a flavor that a VM asks for is there with 0 before the VM has ever run."""
    leaving: bool
    """It is being deleted, and what it used has ended: it waits for its records."""


def usage_of(resource: AnyResource) -> Usage | MeteredUsage | None:
    """The usage in the status of a metered object."""
    return resource.status.usage  # type: ignore[no-any-return]


def holder_of(resource: AnyResource) -> Holder:
    usage = usage_of(resource)
    opened = usage.open if usage is not None else None
    return Holder(
        key=resource.key,
        uid=resource.uid,
        pending=usage.pending if usage is not None else (),
        since=milliseconds(opened.since) if opened is not None else 0,
        rates={**dict.fromkeys(_to_be(resource), 0), **(_rates(opened) if opened is not None else {})},
        leaving=resource.deleting and opened is None,
    )


def _to_be(resource: AnyResource) -> Iterator[Line]:
    if isinstance(resource, VirtualMachine):
        yield from (Line(meter, resource.spec.flavor_ref.name, "Running") for meter in COMPUTE)


def _rates(opened: OpenUsage | OpenCharge) -> Rates:
    if isinstance(opened, OpenUsage):
        return rates_of(charges_of(opened), opened.phase)
    return rates_of(opened.charges, opened.state)
