"""Usage intervals: contiguous over every sequence of transitions, and their sums are the truth."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from checked import check
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    NOW,
    condition,
    edited,
    finished,
    flavor,
    host,
    image,
    imported,
    later,
    migration,
    moving,
    pool,
    taken,
    vm,
    world_of,
)

from drover.api.host import Host
from drover.api.virtualmachine import ResolvedFlavor, Usage, VirtualMachine
from drover.control.virtualmachine import usage
from drover.control.virtualmachine.controller import reconcile
from drover.control.world import World

GIB = 2**30
SMALL = ResolvedFlavor(name="small", vcpus=2, memory_bytes=4 * GIB, root_disk_bytes=20 * GIB)
LARGE = ResolvedFlavor(name="large", vcpus=8, memory_bytes=16 * GIB, root_disk_bytes=40 * GIB)


def started() -> Usage:
    return usage.running(None, NOW, SMALL, "z1")


def test_the_first_interval_is_numbered_one_and_charges_the_whole_vm() -> None:
    opened = started().open
    assert opened is not None
    assert (opened.seq, opened.since, opened.phase, opened.zone) == (1, NOW, "Running", "z1")
    assert (opened.vcpus, opened.memory_bytes, opened.disk_bytes) == (2, 4 * GIB, 20 * GIB)


def test_going_on_with_what_is_charged_already_changes_nothing() -> None:
    assert usage.running(started(), later(60), SMALL, "z1") == started()
    stopped = usage.storage_only(started(), later(60), SMALL, "Stopped")
    assert usage.storage_only(stopped, later(90), SMALL, "Stopped") == stopped


@pytest.mark.parametrize(
    ("resolved", "zone"), [(SMALL, "z2"), (SMALL, None), (LARGE, "z1")], ids=["zone", "no zone", "size"]
)
def test_another_zone_or_size_is_another_interval_that_begins_where_the_last_one_ends(
    resolved: ResolvedFlavor, zone: str | None
) -> None:
    after = usage.running(started(), later(10), resolved, zone)
    assert after.open is not None
    assert (after.open.seq, after.open.since, after.open.zone) == (2, later(10), zone)
    assert (after.closed.through_seq, after.closed.instance_millis) == (1, 10_000)
    assert after.closed.vcpu_millis == 2 * 10_000
    assert after.closed.memory_byte_millis == 4 * GIB * 10_000
    assert after.closed.disk_byte_millis == 20 * GIB * 10_000


@pytest.mark.parametrize("phase", ["Stopped", "Paused", "Unknown", "Failed"])
def test_a_vm_that_does_not_run_is_charged_its_root_disk_alone(phase: Any) -> None:
    after = usage.storage_only(started(), later(10), SMALL, phase)
    assert after is not None
    assert after.open is not None
    assert (after.open.vcpus, after.open.memory_bytes, after.open.disk_bytes) == (0, 0, 20 * GIB)
    assert after.open.phase == phase
    ended = usage.ended(after, later(30))
    assert ended is not None
    assert (ended.closed.instance_millis, ended.closed.disk_byte_millis) == (10_000, 20 * GIB * 30_000)


def test_nothing_is_charged_to_a_vm_that_never_started() -> None:
    assert usage.storage_only(None, NOW, None, "Stopped") is None
    assert usage.ended(None, NOW) is None


def test_a_change_dated_before_the_open_interval_closes_it_empty_and_leaves_no_hole() -> None:
    after = usage.storage_only(started(), later(-5), SMALL, "Stopped")
    assert after is not None
    assert after.open is not None
    assert after.open.since == NOW
    assert after.closed.instance_millis == 0


def test_what_has_ended_does_not_end_again() -> None:
    ended = usage.ended(started(), later(10))
    assert ended is not None
    assert ended.open is None
    assert usage.ended(ended, later(20)) == ended


# Over a VM's whole life

VERBS = ("stop", "start", "pause", "resume", "migrate", "lose", "fence", "cut off", "restart", "resize", "pass")
Step = tuple[str, int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(VERBS),
        st.integers(1, 100_000),
    ),
    max_size=14,
)


Rates = tuple[int, int, int, int]
"""vCPUs, memory bytes, disk bytes and instances charged at one time."""
IN_FULL = ("Starting", "Running", "Migrating")


class Truth:
    """What a bystander with a stop-watch would charge, from what happened to the guest and when."""

    def __init__(self) -> None:
        self.rates: Rates = (0, 0, 0, 0)
        self.zone: str | None = None
        self.since = NOW
        self.totals: Rates = (0, 0, 0, 0)

    def charge(self, rates: Rates, zone: str | None, at: datetime) -> None:
        """What has been told is not taken back: a change dated before the last one counts from there on."""
        if (rates, zone) != (self.rates, self.zone):
            self.count(at)
            self.rates, self.zone = rates, zone

    def count(self, at: datetime) -> None:
        at = max(at, self.since)
        length = milliseconds(self.since, at)
        a, b, c, d = (total + rate * length for total, rate in zip(self.totals, self.rates, strict=True))
        self.totals, self.since = (a, b, c, d), at


def rates_of(flavor: ResolvedFlavor | None, *, running: bool) -> Rates:
    if flavor is None:
        return (0, 0, 0, 0)
    return (
        (flavor.vcpus, flavor.memory_bytes, flavor.root_disk_bytes, 1) if running else (0, 0, flavor.root_disk_bytes, 0)
    )


class Life:
    """One VM under its real controller, with two hosts; ``intervals`` is what its status showed, in order."""

    def __init__(self) -> None:
        large = {"cpu": {"guest": 8}, "memory": {"guest": "16Gi"}, "root_disk": {"size": "40Gi"}}
        self.hosts = {name: host(name, failure_domain=name) for name in ("p1-0", "p1-1")}
        self.world: World = world_of(
            pool(), *self.hosts.values(), flavor("small"), flavor("large", **large), image(status=imported())
        )
        self.vm: VirtualMachine = vm()
        self.world.observe(self.vm)
        self.now = NOW
        self.lost_at: datetime | None = None
        self.intervals: dict[int, Any] = {}
        self.truth = Truth()
        self.settle()

    def settle(self) -> None:
        """Reconcile until nothing more changes, the driver answering at once when it is due."""
        for _ in range(20):
            outcome = reconcile(self.vm, self.world, self.now)
            check(self.vm, outcome)
            if outcome.status not in (None, self.vm.status):
                before, self.vm = self.vm, taken(self.world, self.vm, outcome)
                self._note(before)
            elif outcome.work:
                self.now = max(self.now, finished(self.world, outcome))
            else:
                return
        raise AssertionError("the VM does not come to rest")

    def _note(self, before: VirtualMachine) -> None:
        if self.lost_at is not None and before.status.host_name:
            self.truth.charge(rates_of(before.status.flavor, running=False), None, self.lost_at)
            self.lost_at = None
        ready = self.vm.status.condition("Ready")
        unseen = self.vm.status.phase == "Unknown" and ready is not None and ready.status == "Unknown"
        if self.vm.status.phase != "Stopping" and not unseen:
            running = self.vm.status.phase in IN_FULL
            zone = self.vm.status.failure_domain if running else None
            self.truth.charge(rates_of(self.vm.status.flavor, running=running), zone, self.now)
        if self.vm.status.usage is not None and self.vm.status.usage.open is not None:
            opened = self.vm.status.usage.open
            assert self.intervals.setdefault(opened.seq, opened) == opened, "an interval never changes"

    def edit(self, **spec: Any) -> None:
        self.vm = edited(self.vm, spec=spec)
        self.world.observe(self.vm)

    def do(self, verb: str, milliseconds: int) -> None:
        self.now += timedelta(milliseconds=milliseconds)
        match verb:
            case "stop" | "start":
                self.edit(runStrategy="Halted" if verb == "stop" else "Always")
            case "pause" | "resume":
                self.edit(paused=verb == "pause")
            case "resize":
                self.edit(flavorRef={"name": "large" if self.vm.spec.flavor_ref.name == "small" else "small"})
            case "restart":
                self.vm = edited(self.vm, annotations={"drover.dev/action": f"restart@{self.now.isoformat()}"})
                self.world.observe(self.vm)
            case "migrate":
                self.migrate()
            case "lose" | "fence" | "cut off":
                self.lose(verb)
        self.settle()

    def migrate(self) -> None:
        if self.vm.status.phase != "Running":
            return
        source = str(self.vm.status.host_name)
        target = next(name for name in self.hosts if name != source)
        move = migration("a-1", status=moving(target, source=source))
        self.world.gone(move.key, "")
        move = edited(move, uid=f"move-{self.now.isoformat()}")
        self.world.observe(move)
        self.settle()
        self.now += timedelta(milliseconds=700)
        status = move.status.model_copy(update={"phase": "Commitment"})
        self.world.observe(edited(move, resourceVersion="99").model_copy(update={"status": status}))
        self.settle()
        self.world.gone(move.key, "")

    def lose(self, verb: str) -> None:
        """The host fails, fenced or not, as seen 700 ms ago, or is cut off; it is back a second later."""
        name = self.vm.status.host_name
        if name is None:
            return
        since = self.now - timedelta(milliseconds=700)
        self.lost_at = since if verb != "cut off" else None
        told = [condition("Ready", "False", "HostFailed", since=since)]
        if verb == "fence":
            told.append(condition("Fenced", "True", "Fenced", since=since))
        if verb == "cut off":
            told = [condition("Ready", "Unknown", "NetworkPartition", since=since)]
        self._observe(host(name, failure_domain=name, status={"conditions": told}))
        self.settle()
        self.lost_at = None
        self.now += timedelta(seconds=1)
        self._observe(host(name, failure_domain=name))

    def _observe(self, new: Host) -> None:
        version = str(int(self.hosts[new.name].metadata.resource_version) + 1)
        self.hosts[new.name] = edited(new, resourceVersion=version)
        self.world.observe(self.hosts[new.name])


def milliseconds(start: datetime, end: datetime) -> int:
    epoch = datetime(1970, 1, 1, tzinfo=NOW.tzinfo)
    return (end - epoch) // timedelta(milliseconds=1) - (start - epoch) // timedelta(milliseconds=1)


@given(STEPS)
@settings(max_examples=60)
def test_intervals_are_contiguous_and_totals_with_the_open_one_are_the_truth_whatever_happens(
    steps: list[Step],
) -> None:
    life = Life()
    for verb, wait in steps:
        life.do(verb, wait)
    life.truth.count(life.now)
    used = life.vm.status.usage
    assert used is not None
    opened = used.open
    assert opened is not None
    assert used.closed.through_seq == opened.seq - 1
    starts = [life.intervals[seq].since for seq in sorted(life.intervals)]
    assert starts[0] == NOW
    assert starts == sorted(starts)
    closed = usage.ended(used, life.now)
    assert closed is not None
    sums = closed.closed
    assert (sums.vcpu_millis, sums.memory_byte_millis, sums.disk_byte_millis, sums.instance_millis) == life.truth.totals


def test_a_migration_is_charged_once_and_the_zone_changes_at_its_commit() -> None:
    life = Life()
    first = life.vm.status.host_name
    life.do("migrate", 5_000)
    zones = [life.intervals[seq].zone for seq in sorted(life.intervals)]
    assert zones == [first, life.vm.status.host_name]
    assert first != life.vm.status.host_name
    assert all(interval.phase == "Running" for interval in life.intervals.values())


def test_a_lost_host_ends_usage_when_its_loss_was_first_seen() -> None:
    life = Life()
    life.edit(highAvailability={"enabled": False})
    before = life.now
    life.do("lose", 10_000)
    shown = [life.intervals[seq] for seq in sorted(life.intervals)]
    assert [interval.phase for interval in shown] == ["Running", "Unknown", "Running"]
    assert shown[1].since == before + timedelta(seconds=10) - timedelta(milliseconds=700)
