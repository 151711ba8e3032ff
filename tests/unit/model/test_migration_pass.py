"""A pass in pieces, what it meets in which order, and a state that is kept and gone on with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from drover.model.migration import (
    PRESETS,
    Aids,
    AutoConverge,
    Cyclic,
    Drawn,
    Hypervisor,
    Link,
    Memory,
    Setting,
    State,
    advance,
    begin,
    decide,
    guest_memory,
    pass_left,
    run,
    send_rate,
    send_round,
)
from drover.model.migration.firstpass import first_left

GIB, MIB = 1 << 30, 1 << 20
CHECKPOINT = TypeAdapter(State)


def setting(preset: str = "qemu", bandwidth: float = 125e6, hot: int = 256 * MIB, noise: float = 0.2) -> Setting:
    memory = guest_memory(4 * GIB, 0.2, hot, 8 * MIB)
    link = Link(bandwidth, bandwidth, 5e-4)
    return Setting(memory, link, PRESETS[preset], noise=Drawn(1, "vm", 1, noise))


def after_passes(count: int, given: Setting) -> State:
    state = begin(given)
    for _ in range(count):
        state = send_round(state, given)
    return state


PRESET = st.sampled_from(sorted(PRESETS))


# Pieces


@given(PRESET, st.integers(0, 4), st.lists(st.floats(0.01, 0.99), min_size=1, max_size=5))
def test_a_pass_in_pieces_is_the_same_pass(preset: str, passes: int, cuts: list[float]) -> None:
    given = setting(preset)
    state = after_passes(passes, given)
    whole = pieces = state
    for cut in cuts:
        pieces = advance(pieces, given, cut * pass_left(pieces, given))
        assert pieces.passes == passes
        assert pieces.processed + pieces.remaining == pytest.approx(whole.processed + whole.remaining)
    pieces, whole = send_round(pieces, given), send_round(whole, given)
    assert (pieces.passes, pieces.rate) == (whole.passes, whole.rate)
    assert pieces.seconds == pytest.approx(whole.seconds)
    assert pieces.sent == pytest.approx(whole.sent)
    assert pieces.remaining == pytest.approx(whole.remaining, rel=1e-6)


@given(st.sampled_from(("textbook", "qemu", "kubevirt")), st.floats(0.05, 0.95), st.floats(0.1, 10))
def test_a_pass_goes_on_at_the_rate_the_link_has_then(preset: str, cut: float, factor: float) -> None:
    given = setting(preset)
    half = advance(begin(given), given, cut * pass_left(begin(given), given))
    faster = replace(given, link=Link(125e6 * factor, 125e6 * factor, 5e-4))
    left = pass_left(half, faster)
    after = advance(half, faster, left)
    assert after.passes == 1
    assert after.last is not None
    assert after.last.bytes == pytest.approx(half.partial.bytes + left * 125e6 * factor)
    assert after.last.seconds == pytest.approx(half.partial.seconds + left)
    assert after.rate == 125e6 * factor


def test_a_pass_that_gets_nothing_waits() -> None:
    given = replace(setting(), link=Link(0.0, 125e6, 0.0))
    assert pass_left(begin(given), given) == float("inf")
    assert advance(begin(given), given, 5.0).partial.bytes == 0


def test_amid_a_pass_no_rule_but_the_timeout_is_asked() -> None:
    given = setting("kubevirt", bandwidth=5e6)
    half = advance(begin(given), given, 300.0)
    assert decide(half, given) is None
    late = advance(half, given, pass_left(half, given))
    assert late.passes == 0
    assert late.elapsed == pytest.approx(600)
    assert (decision := decide(late, given)) is not None
    assert (decision.reason, decision.then) == ("CompletionTimeout", "abort")


def test_a_sender_without_cores_to_spare_is_the_limit() -> None:
    given = replace(setting(bandwidth=10e9), hypervisor=Hypervisor(sender_cores=0.5))
    assert send_rate(begin(given), given) == pytest.approx(0.7e9)
    course = run(given)
    assert course.bytes / course.total <= 0.7e9
    assert course.downtime >= course.passes[-1].remaining_bytes / 0.7e9


@pytest.mark.parametrize("preset", ["kubevirt", "kubevirt-vep248", "nova"])
@pytest.mark.parametrize("bandwidth", [60e6, 125e6, 1e9])
@pytest.mark.parametrize("hot", [0.25, 1.0, 3.0])
def test_a_course_that_skips_what_repeats_is_the_one_that_is_played(preset: str, bandwidth: float, hot: float) -> None:
    given = Setting(guest_memory(4 * GIB, 0, hot * GIB, 0), Link(bandwidth, bandwidth, 5e-4), PRESETS[preset])
    course, state = run(given), begin(given)
    while (decision := decide(state, given)) is None:
        state = send_round(state, given)
    assert course.reason == decision.reason
    assert abs(course.passes[-1].index - state.passes) <= 1
    assert course.total - course.downtime == pytest.approx(0.002 + state.elapsed, rel=0.01)
    assert course.passes[-1].remaining_bytes == pytest.approx(state.whole, rel=1e-3)


# Kept as JSON


@given(PRESET, st.integers(0, 60), st.floats(0, 0.9))
def test_a_state_that_is_kept_goes_on_as_if_it_had_not_been(preset: str, passes: int, cut: float) -> None:
    given = setting(preset, bandwidth=60e6)
    given = replace(given, policy=replace(given.policy, aids=Aids(auto_converge=AutoConverge())))
    state = after_passes(passes, given)
    state = advance(state, given, cut * pass_left(state, given))
    kept = CHECKPOINT.dump_json(state)
    assert len(kept) <= 8192
    assert CHECKPOINT.validate_json(kept) == state


# The order of the first pass


def test_free_pages_come_after_used_ones_and_the_map_of_pages_last() -> None:
    memory = Memory(GIB / 4096, zero_pages=100_000, dirty=(Cyclic(50_000, 0.0),))
    given = Setting(memory, Link(1e8, 1e8, 0.0), PRESETS["qemu"])
    state = begin(given)
    used = memory.nonzero_pages - 4096
    early = first_left(state, used * 4104 / 2, given)
    assert (early.hot, early.zero) == ((25_000,), 100_000)
    assert early.cold == pytest.approx((used - 50_000) / 2 + 4096)
    late = first_left(state, used * 4104 + 40_000 * 9, given)
    assert late.zero == pytest.approx(60_000)
    assert late.hot == (0,)
    assert late.cold == pytest.approx(4096)
    assert first_left(state, state.whole, given).pages == pytest.approx(0, abs=1e-6)


@given(st.floats(0.01, 5), st.floats(0, 0.95), st.floats(0, 0.9))
def test_what_the_first_pass_leaves_fits_what_it_was_to_fit(limit: float, zero: float, hot: float) -> None:
    memory = Memory(1e6, zero * 1e6, (Cyclic(hot * (1 - zero) * 1e6, 0.0),))
    policy = replace(PRESETS["qemu"], max_downtime=limit, window=0.0, burst=0.0)
    given = Setting(memory, Link(1e8, 1e8, 0.0), policy)
    assume(limit * 1e8 < memory.bytes)
    state = send_round(begin(given), given)
    assert state.left.pages * 4096 == pytest.approx(limit * 1e8, rel=1e-6)
    assert state.sent + state.remaining == pytest.approx(begin(given).whole)


# The workload of the API


def test_a_hot_set_is_dirty_after_any_pass_and_the_rest_grows_with_time() -> None:
    memory = guest_memory(4 * GIB, 0.25, 64 * MIB, 8 * MIB)
    assert memory.nonzero_pages * 4096 == pytest.approx(3 * GIB)
    hot, rest = memory.dirty
    assert hot.pages(0.05) == hot.pages(100) == 64 * MIB / 4096
    assert rest.pages(10) * 4096 == pytest.approx(80 * MIB)


def test_a_hot_set_that_does_not_fit_is_all_there_is() -> None:
    memory = guest_memory(GIB, 0.5, 4 * GIB, MIB)
    assert memory.hot_pages * 4096 == pytest.approx(GIB / 2)
    assert memory.cold_pages == pytest.approx(0, abs=1e-6)
    assert guest_memory(GIB, 0.0, 0, 0).dirty == ()


@pytest.mark.parametrize("ratio", [-0.1, 1.1])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="zero page ratio must be within"):
        guest_memory(GIB, ratio, 0, 0)
