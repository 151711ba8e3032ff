"""The work queue: one entry a key, by urgency, in rounds; back-off, one heap of timers."""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, later

from drover.api.meta import Key
from drover.control.engine.queue import BACKOFF_BASE, BACKOFF_MAX, Queue
from drover.control.outcome import Urgency

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


# Urgency

URGENCIES = st.sampled_from([(), (0,), (0, "a"), (1,), (1, -100), (1, 0, "b")])
FLEET = [Key("VirtualMachine", "default", f"vm-{number:02d}") for number in range(12)]


@given(st.lists(st.sampled_from(FLEET)), st.lists(URGENCIES, min_size=len(FLEET), max_size=len(FLEET)))
def test_keys_come_once_each_by_urgency_and_then_by_arrival_in_whatever_order_they_were_added(
    added: list[Key], urgencies: list[Urgency]
) -> None:
    urgency = dict(zip(FLEET, urgencies, strict=True))
    queue = Queue(urgency.__getitem__)
    for key in added:
        queue.add(key)
    arrived = list(dict.fromkeys(added))
    assert len(queue) == len(arrived)
    assert drained(queue) == sorted(arrived, key=urgency.__getitem__)


def test_timers_that_fire_together_come_by_urgency() -> None:
    queue = Queue({A: (2,), B: (1,), C: ()}.__getitem__)
    for key, seconds in ((A, 1), (B, 2), (C, 3)):
        queue.add_at(key, later(seconds))
    assert drained(queue, 3) == [C, B, A]


def test_a_queued_key_moves_when_it_is_added_with_another_urgency_and_still_comes_once() -> None:
    urgency: dict[Key, Urgency] = {A: (1,), B: (2,), C: (3,)}
    queue = Queue(urgency.__getitem__)
    for key in (A, B, C):
        queue.add(key)
    urgency |= {A: (4,), C: ()}
    for key in (A, C):
        queue.add(key)
    assert len(queue) == 3
    assert drained(queue) == [C, B, A]


def test_a_key_that_failed_comes_back_in_the_place_of_its_urgency_now() -> None:
    urgency: dict[Key, Urgency] = {A: (1,), B: (2,)}
    queue = Queue(urgency.__getitem__)
    queue.add(A)
    queue.retry(A, NOW)
    urgency[A] = (3,)
    queue.add(B)
    assert drained(queue, BACKOFF_BASE.total_seconds()) == [B, A]


# Rounds


def test_an_urgent_key_that_is_woken_after_each_turn_does_not_keep_the_others_waiting() -> None:
    queue = Queue({A: (1,), B: (1,), C: (2,)}.__getitem__)
    for key in (A, B, C):
        queue.add(key)
    turns = []
    for _ in range(6):
        key = queue.pop(NOW)
        assert key is not None
        turns.append(key)
        queue.add(key)
    assert turns == [A, B, C, A, B, C]


def test_a_key_that_has_not_had_its_turn_in_a_round_comes_before_less_urgent_ones_of_it() -> None:
    queue = Queue({A: (3,), B: (2,), C: (1,)}.__getitem__)
    queue.add(A)
    queue.add(B)
    assert queue.pop(NOW) == B
    for key in (B, C):
        queue.add(key)
    assert drained(queue) == [C, A, B]


def test_a_key_without_urgency_always_goes_first() -> None:
    queue = Queue({A: (), B: (1,), C: (2,)}.__getitem__)
    for key in (C, B, A):
        queue.add(key)
    for _ in range(3):
        assert queue.pop(NOW) == A
        queue.add(A)
    queue.forget(A)
    assert drained(queue) == [B, C]


def test_a_round_is_over_when_nobody_waits_any_more() -> None:
    queue = Queue({A: (1,), B: (2,)}.__getitem__)
    queue.add(A)
    assert queue.pop(NOW) == A
    for key in (A, B):
        queue.add(key)
    assert drained(queue) == [A, B]


def test_a_turn_in_an_earlier_round_does_not_count_in_a_later_one() -> None:
    queue = Queue({A: (1,), B: (2,), C: (3,)}.__getitem__)
    for key in (A, B, C):
        queue.add(key)
    assert [queue.pop(NOW), queue.pop(NOW)] == [A, B]
    queue.add(B)
    assert queue.pop(NOW) == C
    queue.add(C)
    assert queue.pop(NOW) == B, "the second round has begun"
    queue.add(A)
    assert drained(queue) == [A, C]


def test_a_turn_without_urgency_is_none_in_the_round() -> None:
    urgency: dict[Key, Urgency] = {A: (), B: (2,)}
    queue = Queue(urgency.__getitem__)
    queue.add(A)
    queue.add(B)
    assert queue.pop(NOW) == A
    urgency[A] = (1,)
    queue.add(A)
    assert drained(queue) == [A, B]


def test_a_namesake_of_what_was_forgotten_has_its_own_turn_in_the_round() -> None:
    queue = Queue({A: (1,), B: (2,), C: (3,)}.__getitem__)
    for key in (A, B, C):
        queue.add(key)
    assert queue.pop(NOW) == A
    queue.forget(A)
    queue.add(A)
    assert drained(queue) == [A, B, C]


@given(
    st.lists(st.sampled_from(FLEET), max_size=80),
    st.lists(URGENCIES.filter(bool), min_size=len(FLEET), max_size=len(FLEET)),
)
def test_whoever_is_woken_meanwhile_nobody_waits_for_more_than_one_turn_of_each_other(
    woken: list[Key], urgencies: list[Urgency]
) -> None:
    queue = Queue(dict(zip(FLEET, urgencies, strict=True)).__getitem__)
    for key in FLEET:
        queue.add(key)
    turns_since: dict[Key, list[Key]] = {key: [] for key in FLEET}
    for wake in woken:
        turn = queue.pop(NOW)
        assert turn is not None
        del turns_since[turn]
        queue.add(turn)
        turns_since[turn] = []
        queue.add(wake)
        for key, turns in turns_since.items():
            if key != turn:
                turns.append(turn)
                # At most the rest of a round in front of it, and then those more urgent in its own.
                assert max(map(turns.count, turns)) <= 2


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "add_at", "pop", "forget"]), st.sampled_from([A, B, C]), st.integers(0, 5)),
    max_size=40,
)


@given(OPERATIONS, st.lists(URGENCIES, min_size=1))
def test_the_queue_never_loses_a_key_nor_gives_one_nobody_added(
    operations: list[tuple[str, Key, int]], urgencies: list[Urgency]
) -> None:
    fickle = cycle(urgencies)
    queue, now = Queue(lambda _: next(fickle)), NOW
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
