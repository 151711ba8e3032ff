"""The work queue under client-go's names."""

from datetime import UTC, datetime, timedelta

from observed_pages import Scraped, process_of

from drover.api.meta import Key
from drover.control.engine.queue import Queue
from drover.observe.metrics import Metrics
from drover.observe.workqueue import WorkQueue

A, B = Key("Host", "", "a"), Key("Host", "", "b")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def told(page: Scraped, name: str) -> float | None:
    return page.value(f"workqueue_{name}", name="drover")


def test_a_key_counts_once_from_when_it_is_added_until_it_is_taken() -> None:
    metrics = Metrics()
    queue = Queue(watcher=WorkQueue(metrics))
    queue.add(A)
    queue.add(A)
    queue.add(B)
    queue.pop(NOW)
    page = process_of(metrics)
    assert told(page, "adds_total") == 2
    assert told(page, "queue_duration_seconds_count") == 1


def test_a_retry_counts_and_is_added_again_when_it_is_due() -> None:
    metrics = Metrics()
    queue = Queue(watcher=WorkQueue(metrics))
    queue.add(A)
    queue.pop(NOW)
    queue.retry(A, NOW)
    assert queue.pop(NOW) is None
    assert queue.pop(NOW + timedelta(seconds=1)) == A
    page = process_of(metrics)
    assert told(page, "retries_total") == 1
    assert told(page, "adds_total") == 2
    assert told(page, "queue_duration_seconds_count") == 2


def test_what_is_withdrawn_has_not_waited() -> None:
    metrics = Metrics()
    queue = Queue(watcher=WorkQueue(metrics))
    queue.add(A)
    queue.forget(A)
    assert queue.pop(NOW) is None
    assert not told(process_of(metrics), "queue_duration_seconds_count")


def test_work_is_unfinished_until_it_is_done_whatever_becomes_of_it() -> None:
    metrics = Metrics()
    work = WorkQueue(metrics)
    with work.working():
        page = process_of(metrics)
        assert (told(page, "unfinished_work_seconds") or 0) > 0
        assert (told(page, "longest_running_processor_seconds") or 0) > 0
    page = process_of(metrics)
    assert told(page, "unfinished_work_seconds") == 0
    assert told(page, "work_duration_seconds_count") == 1
