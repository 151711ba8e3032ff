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
    POLICY,
    Activate,
    Boot,
    Command,
    Completion,
    Copied,
    Fence,
    Imported,
    ImportFailed,
    ImportImage,
    Pace,
    PassSent,
    PrepareTarget,
    ProvisionVolume,
    ResizeVolume,
    SendPass,
    Shutdown,
    Simulated,
    StopAndCopy,
    answer,
    boot_seconds,
    checksum_of,
)
from drover.model import migration

PACE = Pace(seed=7)
GUEST = migration.Guest(4 * 2**30, 0.05, 64 * 2**20, 8 * 2**20, 0.2)
LINK = migration.Link(1e9, 1.25e9, 0.0005)
FIRST = migration.first_pass(GUEST)
GOOD_URL = "https://images.example/debian.qcow2"
COMMANDS: tuple[Command, ...] = (
    Boot("u", 1, NOW, PACE),
    Shutdown("u", NOW, PACE),
    ImportImage("u", 1, NOW, PACE, GOOD_URL, 500_000_000),
    ProvisionVolume("u", NOW, PACE, 2_000_000_000),
    ResizeVolume("u", NOW, PACE, 2_000_000_000),
    Fence("u", NOW, PACE),
    PrepareTarget("u", 1, NOW, PACE),
    SendPass("u", 1, NOW, PACE, GUEST, LINK, FIRST),
    StopAndCopy("u", 1, NOW, PACE, GUEST, LINK, migration.send_pass(FIRST, GUEST, LINK)),
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
    assert driver.next_due() == ends
    assert driver.completed(NOW) == []
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
    assert (fast.at - NOW).total_seconds() == pytest.approx((slow.at - NOW).total_seconds() / 10, abs=1e-6)
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


def test_a_pass_is_the_models_own_with_the_noise_of_its_attempt_and_iteration() -> None:
    command = SendPass("u", 2, NOW, PACE, GUEST, LINK, FIRST)
    noise = migration.pass_noise(PACE.seed, "u", 2, 0, GUEST.dirty_noise)
    done = answer(command)
    assert done.result == PassSent(migration.send_pass(FIRST, GUEST, LINK, noise))
    assert (done.at - NOW).total_seconds() == pytest.approx(migration.pass_duration(FIRST, LINK), abs=1e-6)


def test_stop_and_copy_takes_the_pause_and_tells_the_downtime() -> None:
    state = migration.send_pass(FIRST, GUEST, LINK)
    played = migration.stop_and_copy(state, LINK, POLICY)
    done = answer(StopAndCopy("u", 1, NOW, PACE, GUEST, LINK, state))
    assert done.result == Copied(played.downtime, round(played.sent))
    assert (done.at - NOW).total_seconds() == pytest.approx(played.paused, abs=1e-6)


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
