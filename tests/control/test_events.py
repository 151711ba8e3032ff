"""Events that do not repeat themselves."""

from __future__ import annotations

from worlds import NOW, host, later, vm

from drover.control.engine.events import REMEMBERED, REPEAT_AFTER, EventLog
from drover.control.outcome import Event, warning

STARTED = Event("Started", "guest runs on p1-0")


def test_an_event_is_told_with_its_subject_reason_message_and_type() -> None:
    subject = vm("a", namespace="web")
    record = EventLog().record(warning("HostLost", "host p1-0 is lost"), subject, NOW)
    assert record is not None
    assert (record.reason, record.message, record.type) == ("HostLost", "host p1-0 is lost", "Warning")
    assert (record.regarding, record.namespace, record.count) == (subject, "web", 1)
    assert (record.first, record.last) == (NOW, NOW)


def test_the_same_event_within_ten_minutes_is_not_worth_a_write() -> None:
    log = EventLog()
    assert log.record(STARTED, vm(), NOW) is not None
    assert log.record(STARTED, vm(), NOW + REPEAT_AFTER / 2) is None


def test_the_same_event_later_counts_up_under_the_same_name() -> None:
    log = EventLog()
    first = log.record(STARTED, vm(), NOW)
    again = log.record(STARTED, vm(), NOW + REPEAT_AFTER)
    assert first is not None
    assert again is not None
    assert (again.name, again.count, again.first, again.last) == (first.name, 2, NOW, NOW + REPEAT_AFTER)


def test_another_message_reason_or_object_is_another_event() -> None:
    log = EventLog()
    records = [
        log.record(STARTED, vm("a"), NOW),
        log.record(STARTED, vm("b"), NOW),
        log.record(Event("Started", "guest runs on p1-1"), vm("a"), NOW),
        log.record(Event("Restarted", STARTED.message), vm("a"), NOW),
    ]
    names = {record.name for record in records if record is not None}
    assert len(names) == len(records)


def test_an_event_may_be_about_another_object_and_cluster_scoped_ones_go_to_default() -> None:
    record = EventLog().record(Event("HostLost", "", regarding=host("p1-0")), vm("a", namespace="web"), NOW)
    assert record is not None
    assert record.regarding.key == host("p1-0").key
    assert record.namespace == "default"
    assert record.name.startswith("p1-0.")


def test_what_was_told_longest_ago_is_forgotten_first() -> None:
    log = EventLog()
    log.record(STARTED, vm("first"), NOW)
    for number in range(REMEMBERED):
        log.record(Event("Started", str(number)), vm("a"), later(1))
    again = log.record(STARTED, vm("first"), later(2))
    assert again is not None
    assert again.count == 1
