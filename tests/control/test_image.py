"""Image: import, progress, retry, checksum, deactivation, deletion."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import (
    NOW,
    assert_settled,
    edited,
    finished,
    image,
    imported,
    later,
    message,
    pool,
    reasons,
    taken,
    told,
    vm,
    volume,
    world_of,
)

from drover.api.image import Image
from drover.control.driver import checksum_of
from drover.control.image import reconcile
from drover.control.outcome import Outcome
from drover.control.progress import quarters
from drover.control.world import World

URL = "https://images.example/debian.qcow2"


def http(url: str) -> dict[str, object]:
    return {"type": "HTTP", "http": {"url": url}}


def begun(item: Image, world: World, now: datetime = NOW) -> tuple[Image, Outcome]:
    """The image with its import begun, and the outcome that began it."""
    outcome = reconcile(item, world, now)
    return taken(world, item, outcome), outcome


def ended(item: Image, world: World, now: datetime = NOW) -> tuple[Image, Outcome, datetime]:
    """The image after one attempt, with the outcome and the time it ended."""
    item, outcome = begun(item, world, now)
    at = finished(world, outcome)
    outcome = reconcile(item, world, at)
    return taken(world, item, outcome), outcome, at


def test_an_import_tells_progress_by_quarters_and_ends_ready() -> None:
    item = image()
    world = world_of(item)
    shown, events, phases = [], [], []
    for seconds in (0.0, 0.5, 1.0, 2.0, 3.0):
        item, outcome = begun(item, world, later(seconds))
        shown.append(item.status.progress)
        phases.append(item.status.phase)
        events += told(outcome)
    assert shown == ["0%", "0%", "25%", "50%", "75%"]
    assert set(phases) == {"Importing"}
    assert finished(world, outcome) == later(4)
    outcome = reconcile(item, world, later(4))
    assert outcome.status is not None
    assert outcome.status.phase == "Ready"
    assert outcome.status.progress == "100%"
    assert outcome.status.size_bytes == 500_000_000
    assert outcome.status.virtual_size_bytes == 4 * 2**30
    assert reasons(outcome) == {"Ready": ("True", "Imported"), "Verified": ("Unknown", "NoChecksum")}
    assert outcome.work == frozenset()
    events += told(outcome)
    assert events == ["ImportStarted", *["ImportProgress"] * 3, "ImportSucceeded"]
    assert_settled(reconcile, taken(world, item, outcome), world, later(5))


def test_between_quarters_nothing_is_written() -> None:
    item = image()
    assert_settled(reconcile, item, world_of(item), NOW)


def test_it_wakes_for_the_next_quarter_and_leaves_the_end_to_the_driver() -> None:
    item = image()
    world = world_of(item)
    item, outcome = begun(item, world)
    assert outcome.requeue_at == later(1)
    assert reconcile(item, world, later(3)).requeue_at is None


def test_a_faster_pool_shortens_the_import() -> None:
    item = image()
    world = world_of(item, pool(driver={"time_scale": "10"}))
    _, outcome = begun(item, world)
    assert finished(world, outcome) == later(0.4)


def test_progress_never_falls_when_the_time_scale_does() -> None:
    item, fast = image(), pool(driver={"time_scale": "10"})
    world = world_of(item, fast)
    item, _ = begun(item, world)
    item, _ = begun(item, world, later(0.3))
    world.observe(edited(fast, spec={"driver": {"timeScale": "1"}}))
    item, _ = begun(item, world, later(0.31))
    assert item.status.progress == "75%"


@given(
    whole=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)),
    moments=st.lists(st.floats(0, 100_000), min_size=1),
)
def test_quarters_never_fall_and_always_wake_later(whole: timedelta, moments: list[float]) -> None:
    before = 0
    for seconds in sorted(moments):
        percent, wakes = quarters(NOW, whole, later(seconds))
        assert percent >= before
        assert (percent == 75) == (wakes is None)
        assert wakes is None or wakes > later(seconds)
        before = percent


def test_a_blank_image_is_ready_at_once() -> None:
    item = image(source={"type": "Blank"}, size=None, virtual_size="20Gi")
    world = world_of(item)
    outcome = reconcile(item, world, NOW)
    assert outcome.status is not None
    assert outcome.status.phase == "Ready"
    assert outcome.status.virtual_size_bytes == 20 * 2**30
    assert reasons(outcome) == {"Ready": ("True", "Imported")}
    assert_settled(reconcile, item, world, NOW)


def test_a_checksum_that_matches_is_verified() -> None:
    item = image(checksum=checksum_of(URL))
    _, outcome, _ = ended(item, world_of(item))
    assert reasons(outcome) == {"Ready": ("True", "Imported"), "Verified": ("True", "ChecksumMatched")}


def test_a_checksum_that_differs_stalls_until_it_is_corrected_and_is_not_fetched_again() -> None:
    item = image(checksum="sha256:" + "0" * 64)
    world = world_of(item)
    item, outcome, at = ended(item, world)
    assert item.status.phase == "Failed"
    assert reasons(outcome) == {
        "Ready": ("False", "ChecksumMismatch"),
        "Stalled": ("True", "ChecksumMismatch"),
        "Verified": ("False", "ChecksumMismatch"),
    }
    assert told(outcome) == ["ChecksumMismatch"]
    assert_settled(reconcile, item, world, at)
    outcome = reconcile(edited(item, spec={"checksum": checksum_of(URL)}), world, at)
    assert reasons(outcome)["Ready"] == ("True", "Imported")
    assert outcome.work == frozenset()


def test_a_missing_source_is_final() -> None:
    item = image(source=http("https://images.example/missing/x.qcow2"))
    world = world_of(item)
    item, outcome, at = ended(item, world)
    assert item.status.phase == "Failed"
    assert reasons(outcome) == {
        "Ready": ("False", "SourceNotFound"),
        "Stalled": ("True", "SourceNotFound"),
    }
    assert "404" in message(outcome, "Ready")
    assert told(outcome) == ["ImportFailed"]
    assert_settled(reconcile, item, world, at)
    assert reconcile(item, world, at + timedelta(hours=1)).work == frozenset()


def test_a_broken_transfer_is_retried_after_a_doubling_wait_until_the_limit() -> None:
    item = image(source=http("https://images.example/flaky/x.qcow2"), retry=2)
    world = world_of(item)
    now, waits = NOW, []
    for _ in range(2):
        item, outcome, at = ended(item, world, now)
        assert item.status.phase == "Pending"
        assert reasons(outcome)["Ready"] == ("False", "WaitingForSource")
        assert item.status.retry_after is not None
        assert outcome.requeue_at == item.status.retry_after
        assert reconcile(item, world, at).work == frozenset()
        waits.append((item.status.retry_after - at).total_seconds())
        now = item.status.retry_after
    assert waits == [20, 40]
    item, outcome, at = ended(item, world, now)
    assert item.status.phase == "Failed"
    assert reasons(outcome)["Stalled"] == ("True", "RetryLimitExceeded")
    assert "3 imports" in message(outcome, "Ready")
    assert_settled(reconcile, item, world, at)
    assert reconcile(edited(item, spec={"retry": 3}), world, at).work


def test_a_retry_is_another_attempt_to_the_driver() -> None:
    item = image(source=http("https://images.example/flaky/x.qcow2"))
    world = world_of(item)
    item, first = begun(item, world)
    finished(world, first)
    item, _ = begun(item, world, later(2))
    again = reconcile(item, world, later(60))
    assert again.work
    assert again.work != first.work


def test_a_deactivated_image_keeps_its_content() -> None:
    item = image(state="Deactivated", status=imported())
    world = world_of(item)
    outcome = reconcile(item, world, NOW)
    item = taken(world, item, outcome)
    assert item.status.phase == "Deactivated"
    assert reasons(outcome)["Ready"] == ("False", "Deactivated")
    assert told(outcome) == ["ImageDeactivated"]
    assert_settled(reconcile, item, world, NOW)
    back = reconcile(edited(item, spec={"state": "Active"}), world, NOW)
    assert reasons(back)["Ready"] == ("True", "Imported")
    assert back.work == frozenset()


def test_deactivating_in_mid_import_drops_the_work() -> None:
    item = image()
    world = world_of(item)
    item, _ = begun(item, world)
    outcome = reconcile(edited(item, spec={"state": "Deactivated"}), world, later(1))
    assert outcome.work == frozenset()
    assert outcome.status is not None
    assert outcome.status.import_started_at is None


@pytest.mark.parametrize(
    ("fields", "users", "reason"),
    [
        ({"protected": True}, [], "Protected"),
        ({}, [vm("a")], "InUse"),
        ({}, [volume(source={"type": "Image", "ref": {"name": "debian"}})], "InUse"),
    ],
)
def test_protection_and_use_block_deletion(fields: dict[str, bool], users: list[object], reason: str) -> None:
    item = image(deleting=True, status=imported(), **fields)
    world = world_of(item, *users)  # type: ignore[arg-type]
    outcome = reconcile(item, world, NOW)
    assert outcome.protect is None
    assert reasons(outcome)["Ready"] == ("True", "Imported")
    assert reasons(outcome)["Terminating"] == ("True", reason)
    assert told(outcome) == ["DeletionBlocked"]
    assert_settled(reconcile, item, world, NOW)


def test_an_unused_image_goes() -> None:
    item = image(deleting=True, status=imported())
    assert reconcile(item, world_of(item), NOW) == Outcome(protect=False)


def test_users_are_counted() -> None:
    item = image(status=imported())
    source = {"type": "Image", "ref": {"name": "debian"}}
    outcome = reconcile(item, world_of(item, vm("a"), vm("b"), volume(source=source)), NOW)
    assert outcome.status is not None
    assert outcome.status.in_use_by == 3
    assert reasons(outcome)["InUse"] == ("True", "InUse")
