"""Amounts of resources as statuses show them."""

from __future__ import annotations

from drover.api.hardware import ResourceAmounts
from drover.api.quantity import Quantity
from drover.model.placement import Ledger, Resources


def amounts(resources: Resources) -> ResourceAmounts:
    """Resources as a status shows them."""
    return ResourceAmounts(
        cpu=Quantity.of_milli(resources.milli_cpu),
        memory=Quantity.of_bytes(resources.memory),
        disk=Quantity.of_bytes(resources.disk),
        **({"gpus": dict(resources.gpus)} if resources.gpus else {}),
    )


def in_use(host: str, ledger: Ledger) -> Resources:
    """What is charged to a host; whole threads count as the vCPUs that can no longer be promised for them."""
    charged, row = ledger.allocated(host), ledger.row(host)
    if row is None or not charged.milli_threads:
        return charged
    threads, ratio = row.shape.threads - charged.milli_threads, row.ratios.cpu
    promised = threads * ratio.numerator // ratio.denominator
    milli_cpu = charged.milli_cpu + row.allocatable.milli_cpu - promised
    return charged._replace(milli_cpu=milli_cpu, milli_threads=0)
