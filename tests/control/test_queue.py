"""The work queue: one entry a key, back-off, one heap of timers."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, later

from drover.api.meta import Key
from drover.control.engine.queue import BACKOFF_BASE, BACKOFF_MAX, Queue

A, B, C = (Key("VirtualMachine", "default", name) for name in "abc")


def drained(queue: Queue, seconds: float = 0.0) -> list[Key]:
    keys = []
    while (key := queue.pop(later(seconds))) is not None:
        keys.append(key)
    return keys


def test_a_key_added_twice_comes_once_and_in_the_order_it_was_added_first() -> None:
    queue = Queue()
    for key in (A, B, A, C, B):
        queue.add(key)
    assert len(queue) == 3
    assert drained(queue) == [A, B, C]


def test_a_key_added_again_after_it_was_popped_comes_again() -> None:
    queue = Queue()
    queue.add(A)
    assert drained(queue) == [A]
    queue.add(A)
    assert drained(queue) == [A]


def test_a_timer_fires_at_its_instant_and_not_before() -> None:
    queue = Queue()
    queue.add_at(A, later(5))
    assert drained(queue, 4.999) == []
    assert queue.next_due(NOW) == later(5)
    assert drained(queue, 5) == [A]
    assert queue.next_due(later(5)) is None


def test_of_several_timers_of_one_key_the_earliest_counts_and_fires_once() -> None:
    queue = Queue()
    for seconds in (9, 3, 5):
        queue.add_at(A, later(seconds))
    assert queue.waiting == 1
    assert drained(queue, 3) == [A]
    assert drained(queue, 10) == []


def test_adding_a_key_now_leaves_its_timer_set() -> None:
    queue = Queue()
    queue.add_at(A, later(5))
    queue.add(A)
    assert drained(queue) == [A]
    assert drained(queue, 5) == [A]


def test_next_due_is_now_while_something_is_ready() -> None:
    queue = Queue()
    queue.add_at(A, later(5))
    queue.add(B)
    assert queue.next_due(NOW) == NOW


def test_back_off_doubles_with_each_failure_up_to_its_maximum_and_starts_anew_after_a_success() -> None:
    queue, now, waits = Queue(), NOW, []
    for _ in range(12):
        queue.retry(A, now)
        due = queue.next_due(now)
        assert due is not None
        waits.append(due - now)
        now = due
        assert queue.pop(now) == A
    assert waits[:3] == [BACKOFF_BASE, 2 * BACKOFF_BASE, 4 * BACKOFF_BASE]
    assert waits[-1] == BACKOFF_MAX
    queue.succeeded(A)
    queue.retry(A, now)
    assert queue.next_due(now) == now + BACKOFF_BASE


def test_a_key_that_failed_waits_out_its_back_off_though_it_was_queued() -> None:
    queue = Queue()
    queue.add(A)
    queue.retry(A, NOW)
    assert drained(queue) == []
    assert drained(queue, BACKOFF_BASE.total_seconds()) == [A]


def test_a_forgotten_key_has_no_entry_no_timer_and_no_failures() -> None:
    queue = Queue()
    queue.retry(A, NOW)
    queue.retry(A, NOW)
    queue.add(A)
    queue.forget(A)
    assert len(queue) == 0
    assert queue.next_due(NOW) is None
    assert drained(queue, 100) == []
    queue.retry(A, NOW)
    assert queue.next_due(NOW) == NOW + BACKOFF_BASE


def test_a_key_added_after_it_was_forgotten_comes_once() -> None:
    queue = Queue()
    queue.add(A)
    queue.forget(A)
    queue.add(A)
    assert drained(queue) == [A]
    queue.add(A)
    assert drained(queue) == [A]


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "add_at", "pop", "forget"]), st.sampled_from([A, B, C]), st.integers(0, 5)),
    max_size=40,
)


@given(OPERATIONS)
def test_the_queue_never_loses_a_key_nor_gives_one_nobody_added(operations: list[tuple[str, Key, int]]) -> None:
    queue, now = Queue(), NOW
    ready: set[Key] = set()
    timers: dict[Key, int] = {}
    clock = 0
    for verb, key, number in operations:
        if verb == "add":
            queue.add(key)
            ready.add(key)
        elif verb == "add_at":
            queue.add_at(key, NOW + timedelta(seconds=clock + number))
            timers[key] = min(timers.get(key, clock + number), clock + number)
        elif verb == "forget":
            queue.forget(key)
            ready.discard(key)
            timers.pop(key, None)
        else:
            clock += number
            now = later(clock)
            for due in [k for k, at in timers.items() if at <= clock]:
                del timers[due]
                ready.add(due)
            popped = queue.pop(now)
            assert (popped is None) == (not ready)
            ready.discard(popped) if popped else None
    assert set(drained(queue, clock + 100)) == ready | timers.keys()
