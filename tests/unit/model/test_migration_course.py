"""Properties of a whole migration, and the rules it ends by."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import (
    PRESETS,
    Aids,
    AutoConverge,
    Course,
    Cyclic,
    Dirtying,
    Hypervisor,
    Link,
    Measured,
    Memory,
    Setting,
    StopPolicy,
    Uniform,
    run,
)
from drover.model.migration.rounds import begin
from drover.model.migration.rules import Decision, decide
from drover.model.migration.state import Sent

MIB, GIB = 1 << 20, 1 << 30
INSTANT = Hypervisor(device_state=0.0, setup=0.0)
TEXTBOOK = PRESETS["textbook"]
SLACK = 1 + 1e-9


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    pages = draw(st.floats(1e4, 1e7))
    zero = draw(st.floats(0, 0.9)) * pages
    shares = draw(st.lists(st.floats(0.01, 0.4), max_size=2))
    parts: list[Dirtying] = []
    for share in shares:
        working_set, rate = share * (pages - zero), draw(st.floats(0, 1e5))
        parts.append(Cyclic(working_set, rate) if draw(st.booleans()) else Uniform(working_set, rate))
    return Memory(pages, zero, tuple(parts))


LINKS = st.builds(lambda cap, line: Link(min(cap, line), line, 0.0), st.floats(1e7, 2e9), st.floats(1e7, 2e9))
LIMITS = st.floats(0.01, 3)


def played(memory: Memory, bandwidth: float, policy: StopPolicy, hypervisor: Hypervisor = INSTANT) -> Course:
    return run(Setting(memory, Link(bandwidth, bandwidth, 0.0), policy, hypervisor))


def constant(pages: float, rate: float) -> Memory:
    """The one-class limit: nothing is written twice before all is written."""
    return Memory(pages, dirty=(Cyclic(pages, rate),))


def scaled(part: Dirtying, size: float, speed: float) -> Dirtying:
    assert not isinstance(part, Measured)
    return type(part)(part.working_set * size, part.rate * speed)


def hot(memory_bytes: float, working_set: float, rate: float, shape: type[Uniform | Cyclic] = Cyclic) -> Memory:
    return Memory(memory_bytes / 4096, dirty=(shape(working_set / 4096, rate / 4096),))


# Conservation and bounds


@given(memories(), LINKS, st.sampled_from(sorted(PRESETS)))
def test_bytes_are_conserved_and_at_least_the_memory(memory: Memory, link: Link, preset: str) -> None:
    course = run(Setting(memory, link, PRESETS[preset]))
    sent = sum(each.bytes * each.times for each in course.passes)
    rest = course.passes[-1].remaining_bytes if course.passes else course.whole
    if course.reason == "CompletionTimeout":
        assert course.bytes == pytest.approx(sent + _unfinished(course, memory, link, PRESETS[preset]), rel=1e-4)
    else:
        assert course.bytes == pytest.approx(sent + (rest if course.downtime else 0.0), rel=1e-4)
    assert all(each.bytes <= course.whole * SLACK for each in course.passes)
    if course.downtime:
        assert course.bytes >= memory.nonzero_pages * 4104 / SLACK
        assert course.total >= course.bytes / link.line / SLACK
        assert course.downtime >= 0.004
        assert course.blackout >= course.downtime


def _unfinished(course: Course, memory: Memory, link: Link, policy: StopPolicy) -> float:
    """Bytes of the pass that the completion timeout cuts short."""
    timeout = policy.completion_timeout(memory.bytes)
    seconds = sum(each.seconds * each.times for each in course.passes)
    assert course.total == pytest.approx(timeout + 0.002)
    return (timeout - seconds) * link.bandwidth


@given(memories(), LINKS, LIMITS)
def test_passes_that_end_with_their_last_page_never_grow(memory: Memory, link: Link, limit: float) -> None:
    course = run(Setting(memory, link, replace(TEXTBOOK, max_downtime=limit)))
    assert all(later.seconds <= earlier.seconds * SLACK for earlier, later in pairwise(course.passes))


@given(memories(), st.floats(1.05, 10), LIMITS, st.floats(1, 4))
def test_more_bandwidth_or_limit_and_fewer_writes_never_hurt(
    memory: Memory, spare: float, limit: float, factor: float
) -> None:
    policy, bandwidth = replace(TEXTBOOK, max_downtime=limit), spare * memory.dirty_rate + 1e7
    base = played(memory, bandwidth, policy)
    assert base.verdict == "Converges"
    calmer = tuple(scaled(part, 1.0, 1 / factor) for part in memory.dirty)
    better = (
        played(memory, bandwidth * factor, policy),
        played(memory, bandwidth, replace(policy, max_downtime=limit * factor)),
        played(replace(memory, dirty=calmer), bandwidth, policy),
    )
    for course in better:
        assert course.verdict == "Converges"
        assert course.total <= base.total * SLACK
        assert course.bytes <= base.bytes * SLACK
    assert better[1].downtime >= base.downtime / SLACK
    assert base.downtime <= limit * SLACK


@given(memories(), st.floats(1.5, 10), LIMITS, st.floats(1, 4), st.sampled_from(("bandwidth", "limit", "writes")))
def test_with_passes_that_end_at_the_threshold_it_never_hurts_by_more_than_a_look(
    memory: Memory, spare: float, limit: float, factor: float, eased: str
) -> None:
    policy, bandwidth = replace(PRESETS["qemu"], max_downtime=limit), spare * memory.dirty_rate + 1e7
    base = played(memory, bandwidth, policy)
    calmer = replace(memory, dirty=tuple(scaled(part, 1.0, 1 / factor) for part in memory.dirty))
    course = {
        "bandwidth": lambda: played(memory, bandwidth * factor, policy),
        "limit": lambda: played(memory, bandwidth, replace(policy, max_downtime=limit * factor)),
        "writes": lambda: played(calmer, bandwidth, policy),
    }[eased]()
    look = policy.window + policy.burst
    assert course.verdict == base.verdict == "Converges"
    assert course.total - course.downtime <= base.total + look
    if eased != "limit":  # a longer limit leaves more pages that are dirtied once again
        assert course.bytes <= base.bytes + look * bandwidth * factor


# Closed forms


@given(st.floats(1e4, 1e7), st.floats(1e7, 1e9), st.floats(0.01, 0.9), st.floats(0.001, 1))
def test_a_constant_rate_is_the_geometric_series(pages: float, bandwidth: float, ratio: float, limit: float) -> None:
    course = played(constant(pages, ratio * bandwidth / 4104), bandwidth, replace(TEXTBOOK, max_downtime=limit))
    rounds = len(course.passes)
    whole = pages * 4104
    assert course.total == pytest.approx(whole / bandwidth * (1 - ratio ** (rounds + 1)) / (1 - ratio), rel=1e-9)
    assert whole * ratio**rounds <= bandwidth * limit * SLACK


@given(st.floats(1e4, 1e7), st.floats(1e7, 1e9), st.floats(0.0, 0.9))
def test_without_a_limit_to_speak_of_it_takes_the_memory_over_the_spare_bandwidth(
    pages: float, bandwidth: float, ratio: float
) -> None:
    course = played(constant(pages, ratio * bandwidth / 4104), bandwidth, replace(TEXTBOOK, max_downtime=1e-9))
    assert course.total == pytest.approx(pages * 4104 / (bandwidth * (1 - ratio)), rel=1e-6)
    assert course.bytes == pytest.approx(pages * 4104 / (1 - ratio), rel=1e-6)


@given(st.floats(1e7, 1e9), st.floats(0.1, 2), st.floats(1e3, 1e7), st.sampled_from((Uniform, Cyclic)))
def test_a_working_set_that_fits_the_limit_takes_two_rounds_at_most(
    bandwidth: float, limit: float, rate: float, shape: type[Uniform | Cyclic]
) -> None:
    fits = bandwidth * limit / 4104 * 0.999
    course = played(Memory(3 * fits, dirty=(shape(fits, rate),)), bandwidth, replace(TEXTBOOK, max_downtime=limit))
    assert course.verdict == "Converges"
    assert len(course.passes) <= 1


@given(st.floats(1e7, 1e9), st.sampled_from(("textbook", "qemu")))
def test_a_cycle_faster_than_the_link_over_more_than_the_limit_never_ends(bandwidth: float, preset: str) -> None:
    memory = hot(20 * bandwidth, 4 * bandwidth, 1.3 * bandwidth)
    course = played(memory, bandwidth, PRESETS[preset])
    assert (course.verdict, course.reason) == ("DoesNotConverge", "NeverEnds")
    assert course.downtime == 0
    assert "a pause of" in course.message


@given(memories(), st.floats(1.5, 10), st.floats(0.1, 10), st.sampled_from(("textbook", "qemu")))
def test_a_larger_world_at_the_same_speed_takes_as_long(
    memory: Memory, spare: float, factor: float, preset: str
) -> None:
    bandwidth = spare * memory.dirty_rate + 1e7
    parts = tuple(scaled(part, factor, factor) for part in memory.dirty)
    larger = replace(memory, pages=memory.pages * factor, zero_pages=memory.zero_pages * factor, dirty=parts)
    policy = PRESETS[preset]
    one, other = played(memory, bandwidth, policy), played(larger, bandwidth * factor, policy)
    assert other.verdict == one.verdict
    assert other.total == pytest.approx(one.total, rel=1e-6)
    assert other.bytes == pytest.approx(one.bytes * factor, rel=1e-6)


@given(st.integers(2, 8), st.floats(1e7, 1e9), st.floats(0, 0.11))
def test_moves_in_series_are_never_later_than_in_parallel(moves: int, bandwidth: float, ratio: float) -> None:
    memory, policy = constant(1e6, ratio * bandwidth / 4104), replace(TEXTBOOK, max_downtime=1e-6)
    series = moves * played(memory, bandwidth, policy).total
    parallel = played(memory, bandwidth / moves, policy).total
    assert series <= parallel * (1 + 1e-6)
    if ratio == 0:
        assert series == pytest.approx(parallel)


# Presets and their rules


@given(memories(), st.floats(1e7, 1e9))
def test_xen_sends_few_rounds(memory: Memory, bandwidth: float) -> None:
    legacy, current = (played(memory, bandwidth, PRESETS[preset]) for preset in ("xen-legacy", "xen"))
    assert legacy.bytes <= 5 * memory.bytes * 4104 / 4096
    assert len(legacy.passes) + 1 <= 30
    assert len(current.passes) + 1 <= 6


BUSY = hot(8 * GIB, GIB, 210e6)
CALM = hot(8 * GIB, 64 * MIB, 1e6)


@pytest.mark.parametrize(
    ("preset", "memory", "verdict", "reason"),
    [
        ("textbook", CALM, "Converges", "DowntimeLimit"),
        ("textbook", BUSY, "DoesNotConverge", "NeverEnds"),
        ("xen-legacy", Memory(1e6), "Converges", "FewDirtyPages"),
        ("xen-legacy", BUSY, "Converges", "TransferLimit"),
        ("xen", BUSY, "Converges", "MaxPasses"),
        ("qemu", CALM, "Converges", "DowntimeLimit"),
        ("qemu", BUSY, "DoesNotConverge", "NeverEnds"),
        ("vmotion", BUSY, "Converges", "DowntimeLimit"),
        ("hyperv", BUSY, "Converges", "MaxPasses"),
        ("clark", CALM, "Converges", "FewDirtyPages"),
        ("clark", BUSY, "Converges", "MaxRateReached"),
        ("nova", BUSY, "DoesNotConverge", "CompletionTimeout"),
        ("kubevirt-vep248", BUSY, "DoesNotConverge", "Hopeless"),
        ("kubevirt-vep248", hot(8 * GIB, 90 * MIB, 210e6), "Converges", "Stalled"),
    ],
)
def test_the_first_rule_to_hit_is_the_reason(preset: str, memory: Memory, verdict: str, reason: str) -> None:
    course = played(memory, 125e6, PRESETS[preset])
    assert (course.verdict, course.reason) == (verdict, reason), course.message


def test_a_pass_that_sent_more_than_the_one_before_stops_legacy_xen() -> None:
    given = Setting(CALM, Link(125e6, 125e6, 0.0), PRESETS["xen-legacy"])
    state = replace(begin(given), passes=2, before=Sent(1e6, 1.0), last=Sent(1e6, 1.0))
    assert decide(state, given) is None
    assert decide(replace(state, last=Sent(2e6, 2.0)), given) == Decision("NotShrinking", "stopAndCopy")


@pytest.mark.parametrize("preset", [name for name, policy in PRESETS.items() if policy.max_downtime is not None])
def test_a_limit_of_nothing_is_kept_by_a_guest_that_writes_nothing_new(preset: str) -> None:
    course = played(CALM, 125e6, replace(PRESETS[preset], max_downtime=0.0))
    assert (course.verdict, course.reason) == ("Converges", "FewDirtyPages")
    assert course.downtime < 1e-6


def test_a_limit_a_little_too_low_is_named() -> None:
    course = played(hot(8 * GIB, 40 * MIB, 500e6), 125e6, PRESETS["qemu"])
    assert course.verdict == "ConvergesWithLongerDowntime"
    assert "needs maxDowntime 336 ms instead of 300 ms" in course.message
    longer = replace(PRESETS["qemu"], max_downtime=0.336)
    assert played(hot(8 * GIB, 40 * MIB, 500e6), 125e6, longer).verdict == "Converges"


def test_without_bandwidth_a_migration_is_blocked() -> None:
    course = played(CALM, 0.0, TEXTBOOK)
    assert (course.verdict, course.bytes, course.passes) == ("Blocked", 0, ())


def test_a_cap_shapes_the_passes_and_not_the_last_phase() -> None:
    memory = hot(GIB, 256 * MIB, 65e6)
    line, capped = Link(1.4e9, 1.4e9, 0.0), Link(125e6, 1.4e9, 0.0)
    free, slow = (run(Setting(memory, link, PRESETS["qemu"])) for link in (line, capped))
    assert slow.total > 5 * free.total
    assert slow.downtime == pytest.approx(slow.passes[-1].remaining_bytes / 1.4e9 + 0.004)


def test_round_trips_and_device_state_are_downtime() -> None:
    idle = Memory(1e5)
    near, far = (run(Setting(idle, Link(1e8, 1e8, rtt), TEXTBOOK)).downtime for rtt in (0.0, 0.05))
    assert far - near == pytest.approx(0.1)
    assert run(Setting(idle, Link(1e8, 1e8, 0.0), TEXTBOOK, Hypervisor(device_state=0.5))).downtime >= 0.5


# Aids

BEATEN = hot(4 * GIB, GIB, 200e6)


@pytest.mark.parametrize(
    "aids",
    [
        Aids(auto_converge=AutoConverge()),
        Aids(dirty_limit=50e6),
        Aids(stun=0.8),
        Aids(xbzrle_cache=GIB),
        Aids(compression=0.3),
    ],
    ids=lambda aids: repr(aids).replace("None", "-"),
)
def test_every_aid_makes_a_beaten_link_converge(aids: Aids) -> None:
    qemu = PRESETS["qemu"]
    assert played(BEATEN, 125e6, qemu).verdict == "DoesNotConverge"
    assert played(BEATEN, 125e6, replace(qemu, aids=aids)).verdict == "Converges"


def test_auto_converge_slows_only_what_is_bound_to_the_cpu() -> None:
    policy = replace(PRESETS["qemu"], aids=Aids(auto_converge=AutoConverge()))
    assert played(replace(BEATEN, cpu_bound=0.0), 125e6, policy).verdict == "DoesNotConverge"


def test_a_guest_with_cpu_time_to_spare_is_slowed_down_later() -> None:
    policy = replace(PRESETS["qemu"], aids=Aids(auto_converge=AutoConverge()))
    busy, idle = (played(replace(BEATEN, cpu_bound=share), 125e6, policy) for share in (1.0, 0.5))
    assert idle.verdict == busy.verdict == "Converges"
    assert idle.total > busy.total


def test_a_dirty_limit_is_set_when_auto_converge_would_begin() -> None:
    aids = (Aids(), Aids(dirty_limit=5e6))
    free, limited = (played(BEATEN, 125e6, replace(PRESETS["qemu"], aids=aid)) for aid in aids)
    assert limited.passes[:2] == free.passes[:2]
    assert limited.verdict == "Converges"
    assert limited.passes[-1].remaining_bytes < 40 * MIB < free.passes[-1].remaining_bytes


def test_differences_are_sent_from_the_second_resend_on() -> None:
    policy = replace(TEXTBOOK, aids=Aids(xbzrle_cache=GIB))
    first, second = played(hot(4 * GIB, GIB, 600e6), 125e6, policy).passes
    assert first.bytes == pytest.approx(4 * GIB * 4104 / 4096)
    assert second.bytes == pytest.approx(GIB * 4104 / 4096)
    assert second.remaining_bytes < second.bytes / 100
