"""The simulated driver: a function of its commands, which a crash does not change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, later

from drover.control.driver import (
    BOOT_SECONDS,
    Activate,
    Boot,
    Checkpoint,
    Command,
    Completion,
    Copied,
    Copying,
    CopyMemory,
    Fence,
    Imported,
    ImportFailed,
    ImportImage,
    Pace,
    PrepareTarget,
    ProvisionVolume,
    Pulling,
    PullPages,
    ResizeVolume,
    Shutdown,
    Simulated,
    StopAndCopy,
    answer,
    boot_seconds,
    checksum_of,
)
from drover.model import migration

PACE = Pace(seed=7)
ROUTE = migration.Route((migration.Card("h0/out", 1.25e9, 1e9), migration.Card("h1/in", 1.25e9, 1e9)), rtt=0.0005)
MEMORY = migration.guest_memory(4 * 2**30, 0.05, 300 * 2**20, 80 * 2**20)
SETTING = migration.Setting(
    MEMORY, ROUTE.alone, migration.PRESETS["qemu"], migration.MODELLED, migration.Drawn(7, "u", 1, 0.2)
)
PAUSING = migration.Decision("DowntimeLimit", "stopAndCopy")
PULLING = migration.Decision("Stalled", "postCopy")
SENT = migration.send_round(migration.begin(SETTING), SETTING)
COPY = CopyMemory("u", 1, NOW, PACE, SETTING, ROUTE)
GOOD_URL = "https://images.example/debian.qcow2"
COMMANDS: tuple[Command, ...] = (
    Boot("u", 1, NOW, PACE),
    Shutdown("u", NOW, PACE),
    ImportImage("u", 1, NOW, PACE, GOOD_URL, 500_000_000),
    ProvisionVolume("u", NOW, PACE, 2_000_000_000),
    ResizeVolume("u", NOW, PACE, 2_000_000_000),
    Fence("u", NOW, PACE),
    PrepareTarget("u", 1, NOW, PACE),
    StopAndCopy("u", 1, NOW, PACE, SETTING, ROUTE, SENT, PAUSING),
    StopAndCopy("u", 1, NOW, PACE, SETTING, ROUTE, SENT, PULLING),
    PullPages("u", 1, NOW, PACE, SETTING, ROUTE, SENT, PULLING),
    Activate("u", 1, NOW, PACE),
)


def at(instant: datetime, *commands: Command) -> list[Completion]:
    """What a driver started at ``instant`` with these commands reports there and later."""
    driver = Simulated()
    for command in commands:
        driver.submit(command)
    return driver.completed(instant)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_ends_at_its_instant_and_not_before(command: Command) -> None:
    ends = answer(command).at
    driver = Simulated()
    driver.submit(command)
    assert driver.completed(NOW) == []
    while (due := driver.next_due()) is not None and due < ends:
        assert driver.completed(due) == []
    assert due == ends
    assert driver.completed(ends) == [answer(command)]
    assert driver.next_due() is None
    assert driver.completed(later(1e6)) == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_driver_started_anew_after_a_crash_catches_up_to_the_same_answer(command: Command) -> None:
    assert at(later(1e6), command) == at(answer(command).at, command) == [answer(command)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_submitted_twice_ends_once(command: Command) -> None:
    assert len(at(later(1e6), command, command)) == 1


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_cancelled_command_never_ends_and_may_be_submitted_again(command: Command) -> None:
    driver = Simulated()
    driver.submit(command)
    driver.cancel(command)
    assert driver.next_due() is None
    assert driver.completed(later(1e6)) == []
    driver.submit(command)
    assert driver.completed(later(1e6)) == [answer(command)]


def test_a_command_cancelled_and_submitted_again_before_its_end_ends_once() -> None:
    driver, boot = Simulated(), COMMANDS[0]
    driver.submit(boot)
    driver.cancel(boot)
    driver.submit(boot)
    assert len(driver.completed(later(1e6))) == 1


def test_cancelling_what_does_not_run_does_nothing() -> None:
    driver = Simulated()
    driver.cancel(COMMANDS[0])
    assert driver.next_due() is None


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_time_scale_divides_the_waiting_and_changes_no_result(command: Command) -> None:
    fast = answer(replace(command, pace=Pace(PACE.seed, 10.0)))
    slow = answer(command)
    assert (fast.at - NOW).total_seconds() == pytest.approx((slow.at - NOW).total_seconds() / 10, abs=3e-6)
    assert fast.result == slow.result


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8, unique=True))
def test_completions_come_in_the_order_of_their_instants(starts: list[float]) -> None:
    done = at(later(1e6), *(Boot(f"vm-{start}", 1, later(start), PACE) for start in starts))
    assert [completion.at for completion in done] == sorted(completion.at for completion in done)
    assert len(done) == len(starts)


@given(st.integers(0, 2**31), st.text(max_size=20), st.integers(1, 50))
def test_boots_take_a_plausible_time_that_only_their_arguments_decide(seed: int, uid: str, attempt: int) -> None:
    seconds = boot_seconds(seed, uid, attempt)
    assert BOOT_SECONDS / 5 < seconds < BOOT_SECONDS * 5
    assert seconds == boot_seconds(seed, uid, attempt)


def test_another_seed_vm_or_attempt_boots_in_another_time() -> None:
    assert (
        len({boot_seconds(0, "a", 1), boot_seconds(1, "a", 1), boot_seconds(0, "b", 1), boot_seconds(0, "a", 2)}) == 4
    )


def reports(driver: Simulated, until: float) -> list[Completion]:
    """All that it tells, stepped as a shell steps it."""
    found: list[Completion] = []
    while (due := driver.next_due()) is not None and due <= later(until):
        found += driver.completed(due)
    return found


def last(found: list[Completion], uid: str = "u") -> Completion:
    (ended,) = [c for c in found if c.is_last and isinstance(c.command, CopyMemory) and c.command.uid == uid]
    return ended


def test_a_copy_is_the_models_own_and_ends_with_the_rule_that_ended_it() -> None:
    course = migration.run(SETTING)
    ended = answer(COPY)
    assert isinstance(ended.result, Copying)
    assert ended.result.decision is not None
    assert ended.result.decision.reason == course.reason
    assert ended.result.state.passes == len(course.passes)
    copying = course.cancellable_until - SETTING.hypervisor.setup
    assert (ended.at - NOW).total_seconds() == pytest.approx(copying, abs=1e-5)


def test_a_copy_is_reported_every_two_seconds_of_wall_time_and_never_goes_back() -> None:
    driver = Simulated()
    driver.submit(COPY)
    found = reports(driver, 1e4)
    results = [c.result for c in found if isinstance(c.result, Copying)]
    assert [round((c.at - NOW).total_seconds(), 3) for c in found[:-1]] == [2.0, 4.0, 6.0]
    assert [r.decision is None for r in results] == [True, True, True, False]
    sent = [r.state.processed for r in results]
    assert sent == sorted(sent)


def test_a_copy_resumed_after_a_crash_ends_when_it_would_have() -> None:
    driver = Simulated()
    driver.submit(COPY)
    report = driver.completed(later(2.0))[-1]
    assert isinstance(report.result, Copying)
    resumed = replace(COPY, resume=Checkpoint(report.result.state, report.at))
    assert resumed == COPY
    assert answer(resumed).at - answer(COPY).at <= timedelta(microseconds=10)


def test_two_copies_share_their_cards_and_one_alone_has_them_to_itself() -> None:
    other = replace(COPY, uid="v")
    driver = Simulated()
    driver.submit(COPY)
    driver.submit(other)
    together = last(reports(driver, 1e4)).at - NOW
    alone = answer(COPY).at - NOW
    assert together > 1.7 * alone


def test_a_copy_that_is_cancelled_leaves_its_share_to_the_other() -> None:
    other = replace(COPY, uid="v")
    driver = Simulated()
    driver.submit(COPY)
    driver.submit(other)
    driver.completed(NOW)
    driver.cancel(other)
    assert last(reports(driver, 1e4)).at - answer(COPY).at < timedelta(milliseconds=1)


def test_stop_and_copy_takes_the_pause_and_post_copy_pulls_after_it() -> None:
    ending = migration.ending(SENT, PAUSING, SETTING)
    stop = answer(StopAndCopy("u", 1, NOW, PACE, SETTING, ROUTE, SENT, PAUSING))
    assert stop.result == Copied(ending)
    assert (stop.at - NOW).total_seconds() == pytest.approx(ending.paused, abs=1e-5)
    pulled = migration.ending(SENT, PULLING, SETTING)
    hand_over = answer(StopAndCopy("u", 1, NOW, PACE, SETTING, ROUTE, SENT, PULLING))
    pull = answer(PullPages("u", 1, NOW, PACE, SETTING, ROUTE, SENT, PULLING))
    assert (hand_over.at - NOW).total_seconds() == pytest.approx(pulled.paused, abs=1e-5)
    assert (pull.at - NOW).total_seconds() == pytest.approx(pulled.pulling, abs=1e-5)
    assert pulled.paused < ending.paused


def test_what_is_pulled_is_reported_every_two_seconds_and_never_grows() -> None:
    narrow = migration.Route((migration.Card("h0/out", 5e7, 4e7),))
    pull = PullPages("u", 1, NOW, PACE, replace(SETTING, link=narrow.alone), narrow, SENT, PULLING)
    driver = Simulated()
    driver.submit(pull)
    *on_the_way, end = reports(driver, 1e4)
    assert isinstance(end.result, Copied)
    assert [round((report.at - NOW).total_seconds()) for report in on_the_way] == [2, 4, 6, 8, 10, 12][
        : len(on_the_way)
    ]
    left = [report.result.remaining_bytes for report in on_the_way if isinstance(report.result, Pulling)]
    assert len(left) == len(on_the_way) >= 2
    assert left == sorted(left, reverse=True)


def test_a_good_url_gives_its_checksum_a_missing_one_fails_for_good_and_a_flaky_one_half_way() -> None:
    good = ImportImage("u", 1, NOW, PACE, GOOD_URL, 1_000_000_000)
    whole = answer(good).at - NOW
    assert answer(good).result == Imported(checksum_of(GOOD_URL))
    missing = answer(replace(good, url="https://x/missing/a")).result
    assert isinstance(missing, ImportFailed)
    assert (missing.reason, missing.retryable) == ("SourceNotFound", False)
    flaky = answer(replace(good, url="https://x/flaky/a"))
    assert isinstance(flaky.result, ImportFailed)
    assert flaky.result.retryable
    assert flaky.at - NOW == whole / 2


def test_work_that_would_outlast_the_calendar_ends_in_a_century() -> None:
    assert Pace(time_scale=0.000001).wall(1e30) == timedelta(days=36500)
