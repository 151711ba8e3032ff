"""Usage for tests: pending entries, objects that have some, and the engine that runs the controllers of the ledger."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from worlds import NOW, later, make, network, placed, vm, volume

from drover.api.meta import AnyResource, dump
from drover.api.usage import Charge, PendingUsage
from drover.api.usagerecord import UsageRecord
from drover.api.virtualmachine import VirtualMachine
from drover.control.metering.daily import rows_of_sums
from drover.model.usage import Sums

GIB = 2**30
MONTH = f"{NOW:%Y-%m}"


def entry(seq: int, *, since: datetime | None = None, seconds: float = 10, vcpus: int = 2) -> PendingUsage:
    """An interval of a small VM; the entries of a chain follow one another every ten seconds."""
    begun = since if since is not None else later(10 * seq)
    charges = (Charge(meter="vcpu", sku="small", rate=vcpus), Charge(meter="instance", sku="small", rate=1))
    until = begun + timedelta(seconds=seconds)
    return PendingUsage(seq=seq, since=begun, until=until, state="Running", charges=charges)


def wire(*entries: PendingUsage) -> list[dict[str, Any]]:
    return [dump(one) for one in entries]


def metered_vm(
    name: str = "a", *entries: PendingUsage, opened: dict[str, Any] | None = None, **fields: Any
) -> VirtualMachine:
    """A VM with these ended intervals; without an open one it is at its end."""
    usage = {"closed": {"throughSeq": entries[-1].seq if entries else 0}, "pending": wire(*entries)}
    usage |= {"open": opened} if opened is not None else {}
    return vm(name, status={"phase": "Terminating", "usage": usage}, **fields)


def open_vm(name: str = "a", *entries: PendingUsage, since: datetime = NOW, **fields: Any) -> VirtualMachine:
    """A VM that runs, charged since then."""
    opened = {
        "seq": 1 + (entries[-1].seq if entries else 0),
        "since": since.isoformat(),
        "phase": "Running",
        "flavor": "small",
        "vcpus": 2,
        "memoryBytes": 4 * GIB,
        "diskBytes": 20 * GIB,
    }
    usage = {"open": opened, "closed": {"throughSeq": opened["seq"] - 1}, "pending": wire(*entries)}
    return vm(name, status=placed(usage=usage), **fields)


def open_volume(name: str = "data", since: datetime = NOW, **fields: Any) -> AnyResource:
    charge = {"meter": "volume", "sku": "standard", "rate": 10 * GIB}
    opened = {"seq": 1, "since": since.isoformat(), "state": "Provisioned", "charges": [charge]}
    return volume(name, status={"phase": "Available", "capacity": "10Gi", "usage": {"open": opened}}, **fields)


def open_network(name: str = "net", since: datetime = NOW, **fields: Any) -> AnyResource:
    charge = {"meter": "address", "rate": 3}
    opened = {"seq": 1, "since": since.isoformat(), "state": "Allocated", "charges": [charge]}
    return network(name, status={"phase": "Active", "usage": {"open": opened}}, **fields)


def record(
    sums: Sums | None = None,
    *,
    month: str = MONTH,
    settled: dict[str, int] | None = None,
    updated: datetime | None = NOW - timedelta(hours=1),
    **fields: Any,
) -> UsageRecord:
    """A record as the operator has written it; ``namespace`` and ``of`` in the fields make it an estate."""
    of = fields.pop("of", None)
    rows = [dump(row) for row in rows_of_sums(sums or Sums())]
    status: dict[str, Any] = {"phase": "Open", "sums": rows, "settled": settled or {}}
    status |= {"lastUpdateTime": updated.isoformat()} if updated is not None else {}
    name = f"{month}.{of}" if of else month
    spec = {"month": month} | ({"namespace": of} if of else {})
    made = make("UsageRecord", name, spec, status=status, finalizer=of is None, **fields)
    assert isinstance(made, UsageRecord)
    return made
