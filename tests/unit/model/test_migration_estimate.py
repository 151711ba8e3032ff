"""What one move is said to take, how sure that is, and what would help."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drover.model.migration import (
    MODELLED,
    PRESETS,
    Aids,
    AutoConverge,
    Drawn,
    Link,
    Setting,
    advise,
    estimate,
    guest_memory,
    run,
)

GIB, MIB = 1 << 30, 1 << 20
GIGABIT = 117e6
KUBEVIRT = PRESETS["kubevirt"]


def move(hot: int, rate: int = 8 * MIB, bandwidth: float = GIGABIT, preset: str = "kubevirt") -> Setting:
    memory = guest_memory(8 * GIB, 0.05, hot, rate)
    return Setting(memory, Link(bandwidth, bandwidth, 5e-4), PRESETS[preset], MODELLED)


EASY, HARD = move(32 * MIB, bandwidth=1e9), move(GIB)


def test_without_noise_it_is_the_course_itself() -> None:
    told, course = estimate(EASY), run(EASY)
    assert told.likely == course
    assert told.total == (course.total, course.total, course.total)
    assert (told.verdict, told.limited_by, told.warnings) == ("Converges", "None", ())


def test_noise_gives_a_band_that_holds_eight_outcomes_in_ten() -> None:
    told = estimate(move(120 * MIB), 0.2)
    played = [run(replace(move(120 * MIB), noise=Drawn(seed, "vm", 1, 0.2), patience=1000)) for seed in range(200)]
    inside = sum(told.total.p10 <= course.total <= told.total.p90 for course in played) / len(played)
    assert told.total.p10 < told.total.p50 < told.total.p90
    assert 0.65 <= inside <= 0.92


def test_a_move_that_only_sometimes_arrives_says_how_often_it_fails() -> None:
    told = estimate(move(150 * MIB), 0.3)
    assert told.warnings
    assert re.fullmatch(r"fails in \d+ of 29 draws of the dirty noise 0.3: .*", told.warnings[0])


def test_the_verdict_is_that_of_most_draws() -> None:
    arrives, fails = estimate(move(60 * MIB), 0.2), estimate(move(400 * MIB), 0.2)
    assert (arrives.verdict, fails.verdict) == ("Converges", "DoesNotConverge")
    assert arrives.downtime.p50 > 0 == fails.downtime.p90


def test_a_limit_a_little_too_low_is_not_the_same_as_never() -> None:
    told = estimate(move(118 * MIB))
    assert told.verdict == "ConvergesWithLongerDowntime"
    assert (found := re.search(r"maxDowntime ([0-9.]+) s instead of 900 ms", told.message))
    assert 0.9 < float(found[1]) <= 1.35


def test_without_bandwidth_it_is_blocked() -> None:
    told = estimate(move(GIB, bandwidth=0.0), 0.2)
    assert (told.verdict, told.limited_by) == ("Blocked", "Bandwidth")


@pytest.mark.parametrize(("given", "limit"), [(HARD, "DirtyRate"), (move(MIB, bandwidth=5e6), "Bandwidth")])
def test_what_limits_it_is_told(given: Setting, limit: str) -> None:
    assert estimate(given).limited_by == limit


# Advice


def test_every_knob_that_helps_is_named_with_its_figure() -> None:
    told = estimate(HARD)
    assert told.verdict == "DoesNotConverge"
    for knob in ("auto-converge (", "post-copy (pause 55 ms", "maxDowntime ", "bandwidth "):
        assert knob in told.message
    assert "instead of 900 ms" in told.message
    assert "instead of 117 MB/s" in told.message


@settings(max_examples=25)
@given(st.sampled_from((200, 500, 2000)), st.sampled_from((1, 20, 150)), st.sampled_from(("qemu", "kubevirt", "nova")))
def test_what_is_advised_works(hot: int, rate: int, preset: str) -> None:
    given = move(hot * MIB, rate * MIB, preset=preset)
    for knob in advise(given):
        if found := re.match(r"maxDowntime ([\d.]+) (ms|s) instead", knob):
            seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
            turned = replace(given, policy=replace(given.policy, max_downtime=seconds))
        elif found := re.match(r"bandwidth ([\d.]+) (MB/s|GB/s) instead", knob):
            speed = float(found[1]) * (1e6 if found[2] == "MB/s" else 1e9)
            turned = replace(given, link=Link(speed, speed, 5e-4))
        elif knob.startswith("auto-converge"):
            turned = replace(given, policy=replace(given.policy, aids=Aids(auto_converge=AutoConverge())))
        elif found := re.match(r"completionTimeoutPerGiB (\d+) instead", knob):
            turned = replace(given, policy=replace(given.policy, completion_timeout_per_gib=float(found[1])))
        else:
            assert knob.startswith("post-copy")
            turned = replace(given, policy=replace(given.policy, on_exhausted=("postCopy",)))
        assert run(turned).downtime > 0, knob


def test_a_knob_that_is_turned_already_is_not_advised() -> None:
    policy = replace(KUBEVIRT, on_exhausted=("postCopy",), completion_timeout_per_gib=1.0)
    knobs = " ".join(advise(replace(move(GIB, bandwidth=5e6), policy=policy)))
    assert "post-copy" not in knobs
    assert "completionTimeoutPerGiB" in knobs
