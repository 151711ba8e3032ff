"""The estimate against the play it forecasts, and the noise both draw from."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import (
    GiveUp,
    Guest,
    Link,
    Played,
    Policy,
    estimate,
    pass_noise,
    play,
    quantile_noise,
)

MIB = 1 << 20
GIB = 1 << 30
LINK = Link(1e9, 1.25e9, 2e-4)
DEFAULTS = Policy()


def seeded(guest: Guest, link: Link, uid: str, policy: Policy = DEFAULTS) -> Played:
    return play(guest, link, policy, lambda i: pass_noise(0, uid, 1, i, guest.dirty_noise))


@given(
    st.builds(
        Guest,
        st.floats(64 * MIB, 64 * GIB),
        st.floats(0, 1),
        st.floats(0, GIB),
        st.floats(0, 1e9),
        st.just(0.0),
    ),
    st.floats(1e7, 1e10),
)
def test_without_noise_the_estimate_is_the_play(guest: Guest, bandwidth: float) -> None:
    link = Link(bandwidth, bandwidth, 1e-4)
    forecast, played = estimate(guest, link, Policy()), seeded(guest, link, "any")
    assert forecast.duration_p50 == forecast.duration_p90 == played.duration
    assert forecast.downtime_p50 == forecast.downtime_p90 == played.downtime
    assert forecast.transfer_bytes == round(played.sent)
    assert forecast.passes == played.state.iteration
    assert (forecast.verdict == "DoesNotConverge") == isinstance(played.end, GiveUp)


@pytest.mark.parametrize("hot_mib", [64, 200, 240, 280, 300, 340], ids=lambda mib: f"hot-set-{mib}-MiB")
def test_estimated_quantiles_are_those_of_many_played_moves(hot_mib: int) -> None:
    """From 200 MiB on it is luck which pass is the last one: one pass at the median, five at the end."""
    guest = Guest(8 * GIB, 0.05, hot_mib * MIB, 8 * MIB, 0.2)
    forecast = estimate(guest, LINK, Policy())
    plays = [seeded(guest, LINK, f"vm-{n}") for n in range(400)]
    durations = statistics.quantiles((p.duration for p in plays), n=10)
    downtimes = statistics.quantiles((p.downtime for p in plays), n=10)
    assert forecast.duration_p50 == pytest.approx(durations[4], rel=0.02)
    assert forecast.duration_p90 == pytest.approx(durations[8], rel=0.06)
    assert forecast.downtime_p50 == pytest.approx(downtimes[4], rel=0.05)
    assert forecast.downtime_p90 == pytest.approx(downtimes[8], rel=0.02)


@pytest.mark.parametrize(
    ("guest", "link", "limited_by", "warning"),
    [
        pytest.param(
            Guest(8 * GIB, 0.05, 2 * GIB, 0, 0),
            Link(5e8, 1.25e9, 0),
            "DirtyRate",
            "hot set 2.0 GiB cannot be sent within 300 ms at 500 MB/s; needs 7.2 GB/s or maxDowntime 4.3 s",
            id="hot-set",
        ),
        pytest.param(
            Guest(8 * GIB, 0.05, 64 * MIB, 1.3e9, 0),
            LINK,
            "DirtyRate",
            "dirty rate 1.3 GB/s is not below the bandwidth 1.0 GB/s; needs 1.5 GB/s or maxDowntime 8.2 s",
            id="dirty-rate",
        ),
        pytest.param(
            Guest(8 * GIB, 0.05, 0, 9.7e8, 0),
            LINK,
            "DirtyRate",
            "3.2 GiB remain after 30 passes at 1.0 GB/s; needs more bandwidth or maxDowntime 3.5 s",
            id="passes",
        ),
        pytest.param(
            Guest(8 * GIB, 0.05, 0, 0, 0),
            Link(6e6, 6e6, 0),
            "Bandwidth",
            "memory 8.0 GiB cannot be sent within the completion timeout 1200 s at 6.0 MB/s; "
            "needs 6.8 MB/s or a longer completionTimeoutPerGiB",
            id="timeout",
        ),
        pytest.param(
            Guest(8 * GIB, 0.05, 0, 5.9e6, 0),
            Link(1e7, 1e7, 0),
            "DirtyRate",
            "memory 8.0 GiB cannot be sent within the completion timeout 1200 s at 10.0 MB/s; "
            "needs 12.7 MB/s or a longer completionTimeoutPerGiB",
            id="timeout-by-dirtying",
        ),
    ],
)
def test_a_move_that_will_fail_says_what_stands_in_its_way_and_what_to_change(
    guest: Guest, link: Link, limited_by: str, warning: str
) -> None:
    forecast = estimate(guest, link, Policy())
    assert (forecast.verdict, forecast.limited_by) == ("DoesNotConverge", limited_by)
    assert forecast.warnings == (warning,)
    assert forecast.downtime_p90 == 0


@pytest.mark.parametrize("hot_gib", [0.5, 2, 6])
@pytest.mark.parametrize("dirty_rate", [0, 1e8])
def test_following_the_advice_makes_the_move_converge(hot_gib: float, dirty_rate: float) -> None:
    guest = Guest(8 * GIB, 0.05, hot_gib * GIB, dirty_rate, 0)
    (warning,) = estimate(guest, LINK, Policy()).warnings
    words = warning.partition("needs ")[2].split()
    bandwidth, downtime = float(words[0]) * 1e9 * 1.05, float(words[4]) * 1.05
    assert words[1] == "GB/s"
    assert estimate(guest, Link(bandwidth, bandwidth, 0), Policy()).verdict == "Converges"
    assert estimate(guest, LINK, Policy(max_downtime=downtime)).verdict == "Converges"


def test_a_move_that_converges_only_by_luck_says_how_often_it_fails() -> None:
    guest = Guest(8 * GIB, 0.05, 380 * MIB, 8 * MIB, 0.2)
    forecast = estimate(guest, LINK, Policy(max_passes=3))
    plays = [seeded(guest, LINK, f"vm-{n}", Policy(max_passes=3)) for n in range(200)]
    failed = [isinstance(played.end, GiveUp) for played in plays]
    (warning,) = forecast.warnings
    assert " of 25 draws of the dirty noise 0.2: hot set 380 MiB cannot be sent" in warning
    announced = int(warning.split()[2]) / 25
    assert 0 < announced < 1
    assert announced == pytest.approx(statistics.mean(failed), abs=0.15)


def test_a_move_that_is_sure_to_converge_warns_of_nothing() -> None:
    forecast = estimate(Guest(8 * GIB, 0.05, 64 * MIB, 8 * MIB, 0.2), LINK, Policy())
    assert (forecast.verdict, forecast.limited_by, forecast.warnings) == ("Converges", "None", ())


def test_a_move_over_a_dead_link_is_blocked() -> None:
    forecast = estimate(Guest(GIB, 0, 0, 0, 0.2), Link(0, 1e9, 0), Policy())
    assert (forecast.verdict, forecast.limited_by, forecast.transfer_bytes) == ("Blocked", "Bandwidth", 0)
    assert len(forecast.warnings) == 1


def test_noise_is_the_same_on_every_machine() -> None:
    assert pass_noise(7, "3f1c", 1, 0, 0.2) == pytest.approx(1.0241023446591981, rel=1e-12)


@pytest.mark.parametrize("other", [(8, "3f1c", 1, 0), (7, "3f1d", 1, 0), (7, "3f1c", 2, 0), (7, "3f1c", 1, 1)])
def test_noise_differs_by_seed_migration_attempt_and_pass(other: tuple[int, str, int, int]) -> None:
    assert pass_noise(*other, 0.2) != pass_noise(7, "3f1c", 1, 0, 0.2)


def test_noise_is_log_normal_with_median_one() -> None:
    logs = [math.log(pass_noise(0, f"vm-{n}", 1, 0, 0.2)) for n in range(2000)]
    assert statistics.mean(logs) == pytest.approx(0, abs=0.015)
    assert statistics.stdev(logs) == pytest.approx(0.2, rel=0.05)


def test_quantiles_of_the_noise_are_those_of_the_log_normal() -> None:
    assert quantile_noise(0.5, 0.2) == 1
    assert quantile_noise(0.9, 0.2) == pytest.approx(math.exp(0.2 * 1.2815515655446004))
    assert quantile_noise(0.9, 0.0) == 1


def test_a_noisier_guest_has_a_wider_forecast() -> None:
    guest = Guest(8 * GIB, 0.05, 64 * MIB, 8 * MIB, 0.1)
    calm, noisy = estimate(guest, LINK, Policy()), estimate(replace(guest, dirty_noise=0.4), LINK, Policy())
    assert calm.downtime_p50 == noisy.downtime_p50
    assert calm.downtime_p50 < calm.downtime_p90 < noisy.downtime_p90
