"""KubeVirt's rules: the stall detector (VEP 248), the downtime ramp (VEP 291), and what follows where neither helps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import (
    PRESETS,
    Aids,
    AutoConverge,
    Constant,
    Decision,
    DowntimeTuning,
    Drawn,
    Exhausted,
    Link,
    Memory,
    Setting,
    Stall,
    State,
    StopPolicy,
    decide,
    downtime_limit,
    guest_memory,
    run,
    send_round,
)
from drover.model.migration.rounds import begin
from drover.model.migration.stall import UNSEEN, Stalled, Watch, near_limit
from drover.model.migration.state import Best, Left, Throttle

GIB, MIB = 1 << 30, 1 << 20
RATE = 125e6
KUBEVIRT = PRESETS["kubevirt"]
STALL = Stall()


def watched(*records: tuple[float, float], stall: Stall = STALL) -> Watch:
    """What is seen of passes that end at so many seconds and leave so many bytes."""
    watch = UNSEEN
    for seconds, left in records:
        watch = watch.after(stall, seconds, left, RATE)
    return watch


# Detection


@pytest.mark.parametrize(
    ("records", "stalled"),
    [
        ([(0, 100.0), (39, 100.0)], False),
        ([(0, 100.0), (40, 100.0)], True),
        ([(0, 100.0), (40, 97.0)], True),
        ([(0, 100.0), (40, 95.0)], False),
        ([(0, 100.0), (20, 50.0), (41, 60.0)], False),
        ([(0, 100.0), (20, 50.0), (61, 60.0)], True),
        ([(0, 100.0), (20, 140.0), (41, 90.0)], False),
    ],
)
def test_a_pass_that_leaves_no_less_than_one_before_the_timeout_is_stalled(
    records: list[tuple[float, float]], stalled: bool
) -> None:
    assert (watched(*records).stalled is not None) == stalled


def test_the_target_is_the_best_pass_so_far_and_later_the_best_since() -> None:
    watch = watched((0, 100.0), (20, 90.0), (41, 130.0))
    assert watch.stalled == Stalled(target=90.0, patience=40, until=81)
    waited = watch
    for seconds, left in ((50, 140.0), (60, 120.0), (81, 125.0)):
        waited = waited.after(STALL, seconds, left, RATE)
    assert waited.stalled is not None
    assert (waited.stalled.target, waited.stalled.patience, waited.stalled.until) == (120.0, 20, 101)


def test_it_acts_at_a_pass_as_good_as_the_target_unless_it_is_told_not_to_search() -> None:
    watch = watched((0, 100.0), (40, 130.0))
    assert not watch.acts(130.0, STALL)
    assert watch.acts(104.0, STALL)
    assert watch.acts(130.0, replace(STALL, search_local_minima=False))


def test_bandwidth_is_smoothed() -> None:
    watch = UNSEEN.after(STALL, 1, 100.0, 100.0).after(STALL, 2, 90.0, 200.0)
    assert watch.bandwidth == pytest.approx(0.4 * 200 + 0.6 * 100)
    assert watch.implied(70.0) == pytest.approx(0.5)


@given(st.lists(st.tuples(st.floats(0.05, 5), st.floats(1, 1e10)), min_size=1, max_size=400))
def test_little_is_kept_however_many_passes_there_were(passes: list[tuple[float, float]]) -> None:
    watch, seconds = UNSEEN, 0.0
    for took, left in passes:
        seconds += took
        watch = watch.after(STALL, seconds, left, RATE)
    assert len(watch.recent) <= STALL.progress_timeout + 1
    assert watch.stalled is None or len(watch.stalled.left) <= 8


# What is done about it


def stalled_state(left: float, policy: StopPolicy = KUBEVIRT, **changes: object) -> tuple[State, Setting]:
    """A state that is stalled at its best, and leaves `left` bytes."""
    given = Setting(Memory(4 * GIB / 4096), Link(RATE, RATE, 0.0), policy)
    watch = Watch(RATE, left, (), Stalled(left, 40, 200))
    state = State(Left((), left / 4104, 0), left, 30, 1e10, 100.0, rate=RATE, watch=watch, best=Best(left, 60.0, 20))
    return replace(state, **changes), given  # type: ignore[arg-type]


def allowing(*last: Exhausted, aid: AutoConverge | None = None) -> StopPolicy:
    return replace(KUBEVIRT, on_exhausted=last, aids=Aids(auto_converge=aid))


@pytest.mark.parametrize(
    ("implied", "policy", "decision"),
    [
        (0.5, KUBEVIRT, Decision("Stalled", "stopAndCopy")),
        (0.89, allowing("postCopy"), Decision("Stalled", "stopAndCopy")),
        (1.0, KUBEVIRT, None),
        (1.4, KUBEVIRT, Decision("Hopeless", "abort")),
        (1.0, allowing("postCopy", "stopAndCopy"), Decision("Stalled", "postCopy")),
        (9.0, allowing("postCopy"), Decision("Stalled", "postCopy")),
        (9.0, allowing("stopAndCopy"), Decision("Stalled", "stopAndCopy")),
        (9.0, allowing("postCopy", aid=AutoConverge()), None),
        (2000.0, allowing("postCopy", "stopAndCopy"), Decision("Stalled", "stopAndCopy")),
        (2000.0, allowing("postCopy"), Decision("Hopeless", "abort")),
    ],
)
def test_a_stalled_copy_ends_in_the_first_way_that_is_allowed(
    implied: float, policy: StopPolicy, decision: Decision | None
) -> None:
    state, given = stalled_state(implied * RATE, policy)
    assert decide(state, given) == decision


def test_auto_converge_is_given_time_to_show_before_the_next_is_tried() -> None:
    policy = allowing("postCopy", aid=AutoConverge())
    state, given = stalled_state(9 * RATE, policy, throttle=Throttle(0.99, passes=1))
    assert decide(state, given) is None
    state, given = stalled_state(9 * RATE, policy, throttle=Throttle(0.99, passes=5))
    assert decide(state, given) == Decision("Stalled", "postCopy")


def test_a_stalled_copy_waits_for_a_better_pass() -> None:
    state, given = stalled_state(2 * RATE)
    worse = replace(state, left=Left((), 3 * RATE / 4104, 0), whole=3 * RATE)
    assert decide(worse, given) is None


def test_a_limit_that_was_raised_in_vain_is_given_up() -> None:
    state, given = stalled_state(RATE)
    raised = replace(state, watch=state.watch.raised(50.0))
    assert downtime_limit(raised, given) == 0.9
    assert decide(raised, given) is None
    assert decide(replace(raised, seconds=110.0), given) == Decision("Stalled", "abort")


@pytest.mark.parametrize(("implied", "near"), [(0.8, False), (1.0, True), (1.35, True), (1.36, False)])
def test_the_limit_is_raised_where_only_a_little_is_wanting(implied: float, near: bool) -> None:
    state, _ = stalled_state(implied * RATE)
    assert near_limit(state.watch, implied * RATE, KUBEVIRT) == near


def test_no_progress_at_all_is_given_up() -> None:
    given = Setting(Memory(1e6), Link(RATE, RATE, 0.0), replace(KUBEVIRT, stall=None, on_exhausted=("stopAndCopy",)))
    state = State(Left((), 1e5, 0), 4104e5, 30, 1e10, 200.0, rate=RATE, best=Best(4e8, 60.0, 20))
    assert decide(state, given) is None
    assert decide(replace(state, seconds=210.0), given) == Decision("ProgressTimeout", "stopAndCopy")


# The ramp


@pytest.mark.parametrize(
    ("since", "limit"), [(0, 0.15), (9.9, 0.15), (10, 0.257), (30, 0.471), (69, 0.793), (70, 0.9), (700, 0.9)]
)
def test_the_limit_rises_in_even_steps(since: float, limit: float) -> None:
    assert DowntimeTuning().limit(0.9, since) == pytest.approx(limit, abs=1e-3)


@pytest.mark.parametrize("start", [1, 2, 3, 5])
def test_the_steps_are_counted_from_the_pass_that_is_named(start: int) -> None:
    tuning = DowntimeTuning(start_after_pass=start)
    policy = replace(KUBEVIRT, stall=None, downtime_tuning=tuning)
    state = begin(given := Setting(guest_memory(4 * GIB, 0, GIB, 0), Link(RATE, RATE, 0.0), policy))
    for _ in range(start - 1):
        assert state.ramp_from is None
        state = send_round(state, given)
    assert state.ramp_from == state.seconds


def test_a_low_ramp_ends_a_quiet_move_with_a_shorter_pause() -> None:
    memory = guest_memory(4 * GIB, 0, 8 * MIB, 0)
    ramped, plain = (
        run(Setting(memory, Link(RATE, RATE, 0.0), policy))
        for policy in (KUBEVIRT, replace(KUBEVIRT, downtime_tuning=None))
    )
    assert ramped.downtime <= 0.16 < plain.downtime <= 0.31


# Whole moves

HOT = guest_memory(4 * GIB, 0.1, GIB, 8 * MIB)


@pytest.mark.parametrize(
    ("policy", "verdict", "reason"),
    [
        (KUBEVIRT, "DoesNotConverge", "Hopeless"),
        (allowing("postCopy"), "Converges", "Stalled"),
        (allowing("stopAndCopy"), "ConvergesWithLongerDowntime", "Stalled"),
        (allowing(aid=AutoConverge()), "Converges", "DowntimeLimit"),
        (replace(KUBEVIRT, max_downtime=12.0), "Converges", "Stalled"),
    ],
)
def test_each_knob_ends_a_move_that_would_not_end(policy: StopPolicy, verdict: str, reason: str) -> None:
    course = run(Setting(HOT, Link(RATE, RATE, 0.0), policy))
    assert (course.verdict, course.reason) == (verdict, reason), course.message


def test_a_pass_is_cut_short_at_the_completion_timeout() -> None:
    course = run(Setting(HOT, Link(2e6, 2e6, 0.0), KUBEVIRT))
    assert (course.verdict, course.reason) == ("DoesNotConverge", "CompletionTimeout")
    assert course.total == pytest.approx(4 * 150 + 0.002)
    assert course.bytes == pytest.approx(2e6 * 600)


@given(st.integers(0, 1000), st.floats(0.01, 0.5), st.sampled_from((20, 80, 200, 1000)))
def test_every_move_under_kubevirts_rules_ends_in_time(seed: int, noise: float, hot: int) -> None:
    memory = guest_memory(2 * GIB, 0.1, hot * MIB, 8 * MIB)
    course = run(Setting(memory, Link(RATE, RATE, 0.0), KUBEVIRT, noise=Drawn(seed, "vm", 1, noise)))
    assert course.total <= 300.01 + course.downtime
    if course.verdict == "Converges":
        assert course.downtime <= 0.9 * 4104 / 4096 + 0.004 + 1e-6


def test_larger_working_sets_leave_more() -> None:
    memory = guest_memory(4 * GIB, 0.1, GIB, 0)
    calm, wild = (Setting(memory, Link(RATE, RATE, 0.0), KUBEVIRT, noise=Constant(share)) for share in (0.5, 1.5))
    left = [send_round(begin(given), given).remaining for given in (calm, wild)]
    assert left[1] == pytest.approx(3 * left[0], rel=0.05)
