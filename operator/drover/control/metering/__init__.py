"""The usage ledger: from intervals in statuses to UsageRecords, and the totals of both together.

Nothing is imported here: controllers need `pending` while they are being imported by what `ledger` needs.
"""
