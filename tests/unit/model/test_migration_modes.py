"""Post-copy, hybrid, cold, suspend-and-copy, storage, and long paths."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drover.model.migration import (
    PRESETS,
    Cyclic,
    Link,
    Memory,
    Mode,
    Setting,
    Uniform,
    WanLimits,
    cold,
    in_mode,
    path_bandwidth,
    run,
    with_storage,
)

GIB = 1 << 30
LINK = Link(125e6, 125e6, 1e-3)
QEMU = PRESETS["qemu"]
MODES: tuple[Mode, ...] = ("pre-copy", "post-copy", "hybrid", "suspend-and-copy")


def guest(rate: float, pages: float = 1e6) -> Memory:
    return Memory(pages, zero_pages=pages / 10, dirty=(Uniform(pages / 4, rate),))


@given(st.floats(0, 1e6), st.sampled_from(("qemu", "textbook")))
def test_post_copy_pauses_alike_whatever_is_dirtied(rate: float, preset: str) -> None:
    course = run(Setting(guest(rate), LINK, in_mode(PRESETS[preset], "post-copy")))
    assert course.downtime == pytest.approx(0.004 + 2 * 1e-3)
    assert course.bytes == pytest.approx(course.whole)
    assert course.verdict == "Converges"


@given(st.floats(0, 1e6))
def test_hybrid_pulls_no_more_than_was_dirtied_in_its_one_pass(rate: float) -> None:
    memory = guest(rate)
    course = run(Setting(memory, LINK, in_mode(PRESETS["textbook"], "hybrid")))
    first = course.passes[0]
    dirtied = memory.dirty[0].pages(first.seconds) * memory.wire_page
    assert len(course.passes) == 1
    assert course.bytes <= course.whole + dirtied * (1 + 1e-9)
    assert course.bytes <= 2 * course.whole


@given(st.floats(0, 1e6), st.sampled_from(MODES))
def test_until_the_switch_a_move_can_be_cancelled_and_then_no_more(rate: float, mode: Mode) -> None:
    course = run(Setting(guest(rate), LINK, in_mode(QEMU, mode)))
    assert course.cancellable_until == pytest.approx(0.002 + sum(each.seconds * each.times for each in course.passes))
    assert course.total == pytest.approx(course.cancellable_until + course.downtime + course.post_copy)


def test_post_copy_is_not_begun_where_it_would_last_too_long() -> None:
    guarded = replace(in_mode(QEMU, "post-copy"), completion_timeout_per_gib=2.0)
    assert run(Setting(guest(1e5), LINK, guarded)).post_copy == 0
    assert run(Setting(guest(1e5), Link(250e6, 250e6, 1e-3), guarded)).post_copy > 0


def test_the_guest_waits_for_pages_the_more_the_longer_the_way() -> None:
    near, far = (run(Setting(guest(1e3), Link(125e6, 125e6, rtt), in_mode(QEMU, "hybrid"))) for rtt in (1e-4, 1e-3))
    assert near.slowdown == pytest.approx(500 * (1e-4 + 4104 / 125e6 + 1e-4))
    assert near.slowdown < far.slowdown < 1
    assert run(Setting(guest(1e6), LINK, in_mode(QEMU, "hybrid"))).slowdown == 1
    assert run(Setting(guest(1e5), LINK, in_mode(QEMU, "suspend-and-copy"))).slowdown == 0


def test_suspend_and_copy_pauses_throughout() -> None:
    course = run(Setting(guest(1e5), LINK, in_mode(QEMU, "suspend-and-copy")))
    assert course.passes == ()
    assert course.downtime == pytest.approx(course.whole / 125e6 + 0.006)


def test_a_cold_move_is_away_for_all_of_it() -> None:
    course = cold(disk_bytes=125e7, link=LINK, stop=5.0, boot=20.0)
    assert course.total == course.downtime == course.blackout == pytest.approx(35.0)


# Storage


def test_a_mirror_comes_first_and_its_flow_of_writes_is_taken_from_the_link() -> None:
    disk = Memory(40 * GIB / 65536, dirty=(Cyclic(GIB / 65536, 25e6 / 65536),), page_bytes=65536, header_bytes=0)
    moved = with_storage(disk, 100e6, Setting(guest(2000), LINK, QEMU))
    assert moved.mirror.total >= 40 * GIB / 100e6
    assert moved.memory == run(Setting(guest(2000), Link(100e6, 125e6, 1e-3), QEMU))
    assert moved.memory is not None
    assert moved.total == pytest.approx(moved.mirror.total + moved.memory.total)


@pytest.mark.parametrize("write_blocking", [False, True])
def test_only_a_write_blocking_mirror_keeps_up_with_a_disk_written_faster_than_read(write_blocking: bool) -> None:
    disk = Memory(40 * GIB / 65536, dirty=(Cyclic(8 * GIB / 65536, 200e6 / 65536),), page_bytes=65536, header_bytes=0)
    moved = with_storage(disk, 100e6, Setting(guest(2000), LINK, QEMU), write_blocking=write_blocking)
    assert (moved.memory is not None) == write_blocking
    assert (moved.mirror.verdict == "Converges") == write_blocking


@pytest.mark.parametrize(("seconds_per_gib", "arrives"), [(9.0, False), (12.0, True)])
def test_a_mirror_has_a_timeout_of_its_own(seconds_per_gib: float, arrives: bool) -> None:
    disk = Memory(40 * GIB / 65536, page_bytes=65536, header_bytes=0)
    moved = with_storage(disk, 100e6, Setting(guest(2000), LINK, QEMU), timeout_per_gib=seconds_per_gib)
    assert (moved.memory is not None) == arrives
    assert moved.mirror.reason == ("FewDirtyPages" if arrives else "CompletionTimeout")


# Long paths


def test_loss_bounds_a_long_path_and_streams_share_it() -> None:
    one = path_bandwidth(1.25e9, rtt=0.05, loss=1e-4)
    assert one == pytest.approx(1.22 * 1460 / (0.05 * 0.01))
    assert path_bandwidth(1.25e9, rtt=0.05, loss=1e-4, streams=4) == pytest.approx(4 * one)
    assert path_bandwidth(1.25e9, rtt=0.0, window=1.0) == 1.25e9


def test_paths_too_long_or_too_thin_are_refused_with_the_figures() -> None:
    limits = WanLimits()
    assert limits.refusal(Link(1e9, 1e9, 0.149)) is None
    assert "round trip 151 ms is above 150 ms" in (limits.refusal(Link(1e9, 1e9, 0.151)) or "")
    assert "bandwidth 31.0 MB/s is below 31.2 MB/s" in (limits.refusal(Link(31e6, 1e9, 0.1)) or "")
