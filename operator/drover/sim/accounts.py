"""Two accounts of what VMs have used: their own totals, and UsageRecords with the entries that wait for them.

A VM's totals grow with each interval that ends, and go with the VM; what it told last is kept here. At every moment
that must be the sum of all records, and of the entries that no record names as settled: nothing lost, nothing twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from drover.api.virtualmachine import ClosedUsage, VirtualMachine
from drover.control.metering.pending import sums_of
from drover.control.virtualmachine.usage import ROOT_DISK
from drover.model.usage import Line, month_of
from drover.sim.picture import Picture

Account = Counter[str]
"""Amounts by meter."""


class Accounts:
    """Remembers what is gone."""

    def __init__(self) -> None:
        self._gone: dict[str, Account] = defaultdict(Account)

    def check(self, before: Picture, now: Picture) -> Iterator[str]:
        for uid in before.vms.keys() - now.vms.keys():
            self._gone[before.vms[uid].namespace] += _own(before.vms[uid])
        due: dict[str, Account] = defaultdict(Account, {space: +account for space, account in self._gone.items()})
        for vm in now.vms.values():
            due[vm.namespace] += _own(vm)
        found = _recorded(now)
        for space in due.keys() | found.keys():
            if due[space] != found[space]:
                yield f"accounts: VMs of {space} have used {dict(due[space])}, recorded is {dict(found[space])}"


def _own(vm: VirtualMachine) -> Account:
    closed = vm.status.usage.closed if vm.status.usage is not None else ClosedUsage()
    return +Account(
        vcpu=closed.vcpu_millis,
        memory=closed.memory_byte_millis,
        instance=closed.instance_millis,
        volume=closed.disk_byte_millis,
        migration=closed.migration_bytes,
    )


def _recorded(now: Picture) -> dict[str, Account]:
    found: dict[str, Account] = defaultdict(Account)
    settled: Counter[tuple[str, str, str]] = Counter()
    for record in now.records:
        for uid, seq in record.status.settled.items():
            key = (record.of, record.spec.month, uid)
            settled[key] = max(settled[key], seq)
    for record in now.records:
        taken_over = settled[record.of, record.spec.month, record.uid]
        for row in record.status.sums if not taken_over else ():
            if _is_of_vms(Line(row.meter, row.sku, row.state)):
                found[record.of][row.meter] += row.total
    for vm in now.vms.values():
        for entry in vm.status.usage.pending if vm.status.usage is not None else ():
            for (day, line), amount in sums_of(entry).items():
                if settled[vm.namespace, month_of(day), vm.uid] < entry.seq:
                    found[vm.namespace][line.meter] += amount
    return found


def _is_of_vms(line: Line) -> bool:
    """Volumes and addresses have accounts of their own."""
    return line.meter != "address" and (line.meter != "volume" or line.sku == ROOT_DISK)
