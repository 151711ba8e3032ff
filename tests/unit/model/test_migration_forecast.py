"""Many moves over few slots and shared links: what they will take together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import (
    NONE,
    PRESETS,
    Card,
    Conduct,
    Cyclic,
    Drawn,
    Hypervisor,
    Limits,
    Memory,
    Move,
    Played,
    Route,
    forecast,
    is_better_alone,
)
from drover.model.migration.forecast import PASSES, band, members
from drover.model.migration.play import play_together

PAGE = 4096
GB = 1e9
PAUSELESS = Hypervisor(device_state=0.0, setup=2.0, activation=0.0)
TEXTBOOK = PRESETS["textbook"]


def move(name: str, source: str = "h0", target: str = "", seconds: float = 10.0, pool: str = "p") -> Move:
    """One that takes so long alone, on cards of its own."""
    route = Route((Card(f"{name}/out", GB, GB),))
    memory = Memory((seconds - 2.0) * GB / (PAGE + 8))
    return Move(name, pool, source, target or f"t-{name}", route, memory, TEXTBOOK, hypervisor=PAUSELESS)


def starts(moves: list[Move], **limits: int) -> list[float]:
    played = play_together(moves, {"p": Limits(**limits)}, Conduct(), lambda _move, _attempt: NONE)
    return [round(one.start, 3) for one in played]


def test_five_moves_out_of_one_host_run_two_at_a_time() -> None:
    assert starts([move(f"m{n}") for n in range(5)]) == [0, 0, 10, 10, 20]


def test_a_move_behind_a_blocked_one_starts_if_it_can() -> None:
    assert starts([move("a"), move("b"), move("c", source="h2")], outbound=1) == [0, 10, 0]


def test_what_waits_for_its_target_holds_up_nobody_from_the_same_source() -> None:
    moves = [move("a", target="t"), move("b", target="t"), move("c", target="u")]
    assert starts(moves, inbound=1, outbound=2) == [0, 10, 0]


def test_the_pools_limit_counts_over_all_hosts_and_each_pool_has_its_own() -> None:
    moves = [move(f"m{n}", source=f"h{n}", pool="p" if n < 3 else "q") for n in range(5)]
    played = play_together(moves, {"p": Limits(per_pool=1), "q": Limits()}, Conduct(), lambda *_: NONE)
    assert [round(one.start) for one in played] == [0, 10, 20, 0, 0]


def test_nothing_to_forecast_is_refused() -> None:
    with pytest.raises(ValueError, match="no moves"):
        forecast([], {})


def test_a_move_that_fails_is_tried_again_with_back_off_and_its_slot_is_free_meanwhile() -> None:
    hot = Memory(10e5, dirty=(Cyclic(10e5, 1e6),))
    stubborn = replace(move("a"), memory=hot, policy=replace(TEXTBOOK, max_passes=3))
    (alone,) = play_together([stubborn], {}, Conduct(), lambda *_: NONE)
    first, other = play_together([stubborn, move("b")], {"p": Limits(per_pool=1)}, Conduct(2, 20.0), lambda *_: NONE)
    assert first.verdict == "DoesNotConverge"
    assert first.downtime == 0
    assert other.start == pytest.approx(alone.end)
    assert first.end == pytest.approx(3 * alone.end + 20.0 + 40.0)


def test_moves_that_share_a_card_take_the_longer_for_it() -> None:
    shared = Route((Card("h0/out", GB, GB),))
    moves = [replace(move(f"m{n}"), route=shared) for n in range(2)]
    assert forecast(moves, {}).duration.p50 == pytest.approx(2.0 + 2 * 8.0)


def test_guests_that_converge_only_with_their_links_to_themselves_go_one_after_the_other() -> None:
    shared = Route((Card("h0/out", GB, GB),))
    busy = Memory(2e6, dirty=(Cyclic(2e6, 0.6 * GB / PAGE),))
    moves = [replace(move(f"m{n}"), route=shared, memory=busy, policy=PRESETS["kubevirt"]) for n in range(4)]
    assert is_better_alone(moves, forecast(moves, {}))
    one_by_one = forecast(moves, {"p": Limits(max_concurrent=1)})
    assert {played.verdict for played in one_by_one.moves} == {"Converges"}
    assert {played.verdict for played in forecast(moves, {}).moves} != {"Converges"}


def test_moves_that_do_not_meet_go_together() -> None:
    apart = [move(f"m{n}", source=f"h{n}") for n in range(4)]
    assert not is_better_alone(apart, forecast(apart, {}))


def test_without_noise_all_quantiles_are_one() -> None:
    made = forecast([move("a"), move("b")], {})
    assert made.duration.p10 == made.duration.p50 == made.duration.p90
    assert len(made.plays) == 1


def test_noise_makes_a_band_and_the_likely_course_has_none() -> None:
    hot = Memory(1e6, dirty=(Cyclic(30_000, 1e6),))
    noisy = [replace(move(f"m{n}"), memory=hot, dirty_noise=0.5) for n in range(3)]
    made = forecast(noisy, {})
    assert made.duration.p10 < made.duration.p50 < made.duration.p90
    assert made.moves == forecast([replace(one, dirty_noise=0.0) for one in noisy], {}).moves
    assert made.duration == forecast(noisy, {}).duration


def test_one_play_of_many_moves_has_a_band_too_about_as_wide_as_many_plays_give() -> None:
    hot = Memory(1e6, dirty=(Cyclic(60_000, 1e6),))
    noisy = [replace(move(f"m{n}"), memory=hot, dirty_noise=0.4) for n in range(120)]
    made = forecast(noisy, {})
    assert len(made.plays) == 2
    ends = band([forecast_of(noisy, seed) for seed in range(9)])
    assert made.duration.p90 - made.duration.p10 == pytest.approx(ends.p90 - ends.p10, rel=0.6)
    assert made.duration.p50 == pytest.approx(ends.p50, rel=0.03)


def forecast_of(moves: list[Move], seed: int) -> float:
    played = play_together(moves, {}, Conduct(), lambda one, attempt: Drawn(seed, one.name, attempt, one.dirty_noise))
    return max(one.end for one in played)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        pytest.param([5.0], (5, 5, 5), id="one"),
        pytest.param([1.0, 2, 3, 4, 5, 6, 7, 8, 9], (1, 5, 9), id="nine"),
        pytest.param([float(n) for n in range(1, 20)], (2, 10, 18), id="nineteen"),
        pytest.param([1.0, 2.0, 3.0], (1, 2, 3), id="three"),
        pytest.param([4.0, 2.0], (2, 3, 4), id="two"),
    ],
)
def test_quantiles_of_a_sample(sample: list[float], expected: tuple[float, ...]) -> None:
    assert band(sample) == pytest.approx(expected)


@given(st.integers(1, 2000), st.integers(1, 100_000))
def test_many_moves_or_passes_are_played_less_often(moves: int, passes: int) -> None:
    assert members(moves, passes) in (1, 9, 19, 29)
    assert members(moves, passes) >= members(moves + 1, passes)
    assert members(moves, passes) >= members(moves, passes + 1)
    assert members(moves, passes) == 1 or members(moves, passes) * passes <= PASSES


limits_ = st.builds(Limits, st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.none() | st.integers(1, 6))
move_lists = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.floats(2.5, 30.0)), min_size=1, max_size=12
).map(lambda rows: [move(f"m{n}", f"h{s}", f"h{(s + hop) % 4}", t) for n, (s, hop, t) in enumerate(rows)])


@given(move_lists, limits_)
def test_limits_are_never_exceeded_and_no_slot_stays_free_that_somebody_waits_for(
    moves: list[Move], limits: Limits
) -> None:
    played = play_together(moves, {"p": limits}, Conduct(), lambda *_: NONE)
    for instant in sorted({one.start for one in played}):
        running = [m for m, one in zip(moves, played, strict=True) if one.start <= instant + 1e-9 < one.end - 1e-9]
        assert len(running) <= limits.concurrent
        for host in {m.source for m in running}:
            assert sum(m.source == host for m in running) <= limits.outbound
        for host in {m.target for m in running}:
            assert sum(m.target == host for m in running) <= limits.inbound
        for waiting, one in zip(moves, played, strict=True):
            if one.start > instant + 1e-6:
                assert not fits(waiting, running, limits)


def fits(waiting: Move, running: list[Move], limits: Limits) -> bool:
    return (
        len(running) < limits.concurrent
        and sum(m.source == waiting.source for m in running) < limits.outbound
        and sum(m.target == waiting.target for m in running) < limits.inbound
    )


@given(move_lists)
def test_moves_on_cards_of_their_own_take_as_long_as_alone(moves: list[Move]) -> None:
    together = play_together(moves, {}, Conduct(), lambda *_: NONE)
    for one, played in zip(moves, together, strict=True):
        (alone,) = play_together([one], {}, Conduct(), lambda *_: NONE)
        assert isinstance(played, Played)
        assert played.seconds == pytest.approx(alone.seconds)
