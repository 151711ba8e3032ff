"""The totals of everything ever used, kept as the World changes: records, what waits for them, and what is running.

    total of a namespace  =  sum of its records  +  pending entries not settled in them  +  open intervals up to now

Only what the API server has confirmed counts. Entry and record change at different moments, and the sum does not: an
entry counts until a record names it as settled, from then on the record's sums do. All is rebuilt from the same objects
after a start, to the millisecond.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Final

from drover.api.meta import AnyResource, Key
from drover.api.usagerecord import UsageRecord
from drover.control.metering.daily import sums_of_record, sums_of_running
from drover.control.metering.holders import METERED, Holder, holder_of
from drover.control.metering.pending import sums_of
from drover.model.usage import NOTHING, Accrual, Line, Sums, ended, milliseconds, month_of, running

KINDS: Final = ("object", "totals")
"""Kinds of discrepancies: a share kept for an object that is not what the object says; totals that are not the sum of
the shares."""

Share = dict[Line, Accrual]
"""What one object or record adds to the totals of its namespace."""
AUDITED_AT_ONCE = 256
"""Objects looked at in one step of the audit: some milliseconds."""


class UsageLedger:
    """Fed with every confirmed change by the World; answers for any instant that is not past."""

    def __init__(self) -> None:
        self._holders: dict[str, dict[str, Holder]] = defaultdict(dict)
        self._waiting: dict[str, dict[str, Holder]] = defaultdict(dict)
        """Those with pending entries."""
        self._seen: dict[Key, AnyResource] = {}
        self._records: dict[tuple[str, str], dict[str, UsageRecord]] = defaultdict(dict)
        """By namespace that used and month, then by uid: a second one takes over from one that is being deleted."""
        self._placed: dict[Key, tuple[str, str, str]] = {}
        """Of each record: namespace, month, uid."""
        self._shares: dict[str, dict[str, Share]] = defaultdict(dict)
        self._totals: dict[str, dict[Line, Accrual]] = defaultdict(dict)
        self._told: dict[tuple[str, Line], int] = {}
        self._audit: Iterator[tuple[str, str | None]] = iter(())
        self.discrepancies: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        """Found by the audit since the start."""

    # What is known

    def holder(self, namespace: str, uid: str) -> Holder | None:
        return self._holders[namespace].get(uid)

    def waiting(self, namespace: str) -> Iterable[Holder]:
        """The objects of a namespace with ended intervals that they still tell of."""
        return self._waiting[namespace].values()

    def records_of(self, namespace: str, month: str) -> Iterable[UsageRecord]:
        return self._records[namespace, month].values()

    def all_records(self) -> Iterator[UsageRecord]:
        for records in self._records.values():
            yield from records.values()

    @property
    def records(self) -> int:
        return sum(len(records) for records in self._records.values())

    def settled(self, namespace: str, uid: str) -> Callable[[str], int]:
        """For a month: the last seq of the object that is in its records; 0 for none."""

        def through(month: str) -> int:
            return max((r.status.settled.get(uid, 0) for r in self._records[namespace, month].values()), default=0)

        return through

    def watermark(self, now: datetime) -> datetime:
        """All that ended before it is in records: ``now``, or the end of the oldest interval that waits."""
        oldest = now
        for namespace, holders in self._waiting.items():
            for holder in holders.values():
                settled = self.settled(namespace, holder.uid)
                for entry in holder.pending:
                    if entry.until < oldest and any(settled(month_of(day)) < entry.seq for day, _ in sums_of(entry)):
                        oldest = entry.until
        return oldest

    # The totals

    def totals(self, now: datetime) -> Iterator[tuple[str, Line, int]]:
        """(namespace, line, amount) at an instant, exact; a namespace at a time. Changes meanwhile do no harm."""
        instant = milliseconds(now)
        for namespace, lines in list(self._totals.items()):
            for line, accrual in list(lines.items()):
                yield namespace, line, accrual.at(instant)

    def counters(self, now: datetime) -> Iterator[tuple[str, Line, int]]:
        """The totals as counters, which never fall: where an interval is found to have ended earlier than was known
        (a host was lost), the counter stands still until the truth has caught up."""
        for namespace, line, amount in self.totals(now):
            told = max(amount, self._told.get((namespace, line), 0))
            self._told[namespace, line] = told
            yield namespace, line, told

    def daily(self, now: datetime) -> dict[str, Sums]:
        """The same by namespace and day."""
        instant, sums = milliseconds(now), defaultdict[str, Sums](Counter)
        for record in self.all_records():
            if not self._is_taken_over(record):
                sums[record.of].update(sums_of_record(record))
        for namespace, holders in self._holders.items():
            for holder in holders.values():
                sums[namespace].update(sums_of_running(holder, instant))
                for key, amount in self._unsettled(holder):
                    sums[namespace][key] += amount
        return dict(sums)

    # Changes

    def take(self, key: Key, resource: AnyResource | None) -> None:
        """The object as the API server has it now; None where it has it no more."""
        if key.kind not in METERED and key.kind != UsageRecord.KIND:
            return
        known = self._seen.pop(key, None)
        if resource is not None:
            self._seen[key] = resource
        if known is resource:
            return
        if key.kind == UsageRecord.KIND:
            self._take_record(key, resource)
            return
        if known is not None and (resource is None or resource.uid != known.uid):
            self._forget(key.namespace, known.uid)
        if resource is not None:
            self._take_holder(key, resource)

    def _take_holder(self, key: Key, resource: AnyResource) -> None:
        holder = holder_of(resource)
        if holder == self._holders[key.namespace].get(holder.uid):
            return
        self._holders[key.namespace][holder.uid] = holder
        self._waiting[key.namespace].pop(holder.uid, None)
        if holder.pending:
            self._waiting[key.namespace][holder.uid] = holder
        self._set(key.namespace, holder.uid, self._share_of(holder))

    def _forget(self, namespace: str, uid: str) -> None:
        self._holders[namespace].pop(uid, None)
        self._waiting[namespace].pop(uid, None)
        self._set(namespace, uid, {})

    def _take_record(self, key: Key, resource: AnyResource | None) -> None:
        months = set()
        if key in self._placed:
            namespace, month, uid = self._placed.pop(key)
            del self._records[namespace, month][uid]
            self._set(namespace, uid, {})
            months.add((namespace, month))
        if isinstance(resource, UsageRecord):
            self._placed[key] = (resource.of, resource.spec.month, resource.uid)
            self._records[resource.of, resource.spec.month][resource.uid] = resource
            months.add((resource.of, resource.spec.month))
        for namespace, month in months:
            self._settle_anew(namespace, month)

    def _settle_anew(self, namespace: str, month: str) -> None:
        for record in self._records[namespace, month].values():
            self._set(namespace, record.uid, self._share_of_record(record))
        for holder in self._waiting[namespace].values():
            self._set(namespace, holder.uid, self._share_of(holder))

    # Shares

    def _share_of(self, holder: Holder) -> Share:
        share = {line: running(holder.since, rate) for line, rate in holder.rates.items()}
        for (_, line), amount in self._unsettled(holder):
            share[line] = share.get(line, NOTHING).plus(ended(amount))
        return share

    def _unsettled(self, holder: Holder) -> Iterator[tuple[tuple[date, Line], int]]:
        settled = self.settled(holder.key.namespace, holder.uid)
        for entry in holder.pending:
            for (day, line), amount in sums_of(entry).items():
                if settled(month_of(day)) < entry.seq:
                    yield (day, line), amount

    def _share_of_record(self, record: UsageRecord) -> Share:
        if self._is_taken_over(record):
            return {}
        return {Line(row.meter, row.sku, row.state): ended(row.total) for row in record.status.sums}

    def _is_taken_over(self, record: UsageRecord) -> bool:
        return self.settled(record.of, record.uid)(record.spec.month) > 0

    def _set(self, namespace: str, uid: str, share: Share) -> None:
        totals = self._totals[namespace]
        for line, accrual in self._shares[namespace].pop(uid, {}).items():
            totals[line] = totals[line].minus(accrual)
        for line, accrual in share.items():
            totals[line] = totals.get(line, NOTHING).plus(accrual)
        if share:
            self._shares[namespace][uid] = share

    # The audit

    def audit(self, find: Callable[[Key], AnyResource | None]) -> None:
        """One step of a round that never ends: some shares computed anew from their objects, as ``find`` has them, and
        the totals of a namespace from its shares. What differs is counted; nothing ever should."""
        for _ in range(AUDITED_AT_ONCE):
            step = next(self._audit, None)
            if step is None:
                self._audit = iter(list(self._round()))
                return
            namespace, uid = step
            if uid is None:
                self.discrepancies["totals"] += self._adrift(namespace)
            elif (holder := self._holders[namespace].get(uid)) is not None:
                self.discrepancies["object"] += not self._is_right(holder, find(holder.key))

    def _round(self) -> Iterator[tuple[str, str | None]]:
        for namespace, holders in self._holders.items():
            yield from ((namespace, uid) for uid in holders)
            yield namespace, None

    def _is_right(self, holder: Holder, resource: AnyResource | None) -> bool:
        if resource is None or resource.uid != holder.uid:
            return False
        return self._share_of(holder_of(resource)) == self._shares[holder.key.namespace].get(holder.uid, {})

    def _adrift(self, namespace: str) -> int:
        """How many lines of a namespace are not the sum of their shares."""
        sums: Share = {}
        for share in self._shares[namespace].values():
            for line, accrual in share.items():
                sums[line] = sums.get(line, NOTHING).plus(accrual)
        return sum(accrual != sums.get(line, NOTHING) for line, accrual in self._totals[namespace].items())
