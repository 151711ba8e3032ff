"""The usage ledger: from intervals in statuses to UsageRecords, and the totals of both together."""

from drover.control.metering.ledger import KINDS, UsageLedger

__all__ = ["KINDS", "UsageLedger"]
