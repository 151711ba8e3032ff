"""Events that do not repeat themselves: the same words about the same object count up instead."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta

from drover.api.meta import AnyResource
from drover.control.outcome import Event
from drover.control.ports import EventRecord

REPEAT_AFTER = timedelta(minutes=10)
"""The same event is told again at most this often; in between it is not worth a write."""
REMEMBERED = 4096


class EventLog:
    """Remembers what was told lately. ``record`` returns what to write, or None for a repetition."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str, str], EventRecord] = OrderedDict()

    def record(self, event: Event, subject: AnyResource, now: datetime) -> EventRecord | None:
        regarding = event.regarding if event.regarding is not None else subject
        identity = (regarding.uid, event.reason, event.message)
        told = self._told.get(identity)
        if told is not None:
            if now - told.last < REPEAT_AFTER:
                return None
            record = replace(told, count=told.count + 1, last=now)
        else:
            record = EventRecord(
                name=_name(regarding, event, now),
                namespace=regarding.namespace or "default",
                regarding=regarding,
                reason=event.reason,
                message=event.message,
                type=event.type,
                count=1,
                first=now,
                last=now,
            )
        self._told[identity] = record
        self._told.move_to_end(identity)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return record


def _name(regarding: AnyResource, event: Event, now: datetime) -> str:
    told = f"{regarding.uid}/{event.reason}/{event.message}/{now.isoformat()}"
    return f"{regarding.name}.{hashlib.sha256(told.encode()).hexdigest()[:16]}"
