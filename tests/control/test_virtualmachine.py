"""The phase machine of a VM: a world in, an outcome out, for every transition."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from checked import reconciled
from worlds import (
    NOW,
    active,
    condition,
    edited,
    finished,
    flavor,
    host,
    image,
    imported,
    interface,
    later,
    message,
    migration,
    moving,
    network,
    owned_by,
    placed,
    pool,
    provisioned,
    reasons,
    taken,
    told,
    vm,
    volume,
    world_of,
)

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine, VirtualMachineStatus
from drover.control.driver import Boot, Shutdown
from drover.control.outcome import Outcome
from drover.control.virtualmachine.controller import CONTROLLER, reconcile
from drover.control.virtualmachine.power import ACTION
from drover.control.world import World

SMALL_STATUS = placed()["flavor"]
CHARGED: dict[str, Any] = {
    "seq": 1,
    "since": NOW.isoformat(),
    "phase": "Running",
    "flavor": "small",
    "vcpus": 2,
    "zone": "z1",
}
CHARGED |= {"memoryBytes": SMALL_STATUS["memoryBytes"], "diskBytes": SMALL_STATUS["rootDiskBytes"]}
USAGE = {"open": CHARGED, "closed": {}}
DOWN = {"conditions": [condition("Ready", "False", "HostFailed", since=later(-30))]}
FENCED = {"conditions": [*DOWN["conditions"], condition("Fenced", "True", "Fenced", since=later(-15))]}
OUT_OF_REACH = {"conditions": [condition("Ready", "Unknown", "NetworkPartition", since=later(-30))]}
LOST = {"host down": DOWN, "host fenced": FENCED, "host out of reach": OUT_OF_REACH}
BASE: tuple[AnyResource, ...] = (pool(), host("p1-0"), flavor(), image(status=imported()))


def world(*objects: AnyResource) -> World:
    """One pool, host p1-0, the flavor small and an imported image, replaced and added to by ``objects``."""
    mine = {resource.key: resource for resource in (*BASE, *objects)}
    return world_of(*mine.values())


def outcome_of(subject: VirtualMachine, *objects: AnyResource, at: float = 0, writes: int = 1) -> Outcome:
    return reconciled(reconcile, subject, world(*objects, subject), later(at), writes=writes)


def status_of(outcome: Outcome) -> VirtualMachineStatus:
    assert isinstance(outcome.status, VirtualMachineStatus)
    return outcome.status


def on_host(phase: str = "Running", **fields: Any) -> dict[str, Any]:
    """The status of a charged VM on p1-0 in zone z1."""
    return placed(phase=phase, failureDomain="z1", usage=USAGE, bootAttempt=1, **fields)


def acting(verb: str, **fields: Any) -> VirtualMachine:
    return vm(annotations={ACTION: verb}, **fields)


# From nothing to Running


def test_a_new_vm_is_given_its_finalizer_before_anything_else() -> None:
    outcome = reconcile(vm(finalizer=False), world(), NOW)
    assert outcome == Outcome(protect=True)


def test_one_write_takes_a_vm_from_nothing_to_starting_with_all_it_claims() -> None:
    subject = vm(
        networks=[{"name": "eth0", "network_ref": {"name": "net"}}],
        volumes=[{"name": "data", "volume_ref": {"name": "data"}}],
    )
    zoned = host("p1-0", failure_domain="z1")
    outcome = outcome_of(subject, zoned, network(status=active()), volume(status=provisioned()))
    status = status_of(outcome)
    assert (status.phase, status.host_name, status.node_pool_name, status.failure_domain) == (
        "Starting",
        "p1-0",
        "p1",
        "z1",
    )
    assert (status.primary_ip, status.volumes[0].volume, status.boot_attempt) == ("10.0.0.2", "data", 1)
    assert status.usage is not None
    assert status.usage.open is not None
    assert (status.usage.open.since, status.usage.open.zone) == (NOW, "z1")
    assert status.placement is not None
    assert (status.placement.feasible, status.placement.top_hosts[0].host) == (1, "p1-0")
    assert reasons(outcome) == {
        "Ready": ("False", "Starting"),
        "PrerequisitesReady": ("True", "Ready"),
        "Scheduled": ("True", "Placed"),
        "LiveMigratable": ("False", "NotRunning"),
        "Reconciling": ("True", "Starting"),
    }
    assert told(outcome) == ["Scheduled"]
    assert outcome.events[0].message.endswith("1 of 1 hosts feasible")


def test_a_starting_vm_wants_its_boot_and_runs_from_when_it_ended() -> None:
    subject = vm(status=on_host("Starting", transitionStartedAt=NOW.isoformat()))
    seen = world(subject)
    waiting = reconciled(reconcile, subject, seen)
    (boot,) = waiting.work
    assert boot == Boot(subject.uid, 1, NOW, seen.pace("p1"))
    assert waiting.status is None
    booted = finished(seen, waiting)
    outcome = reconciled(reconcile, subject, seen, booted + timedelta(seconds=5))
    assert status_of(outcome).phase == "Running"
    assert status_of(outcome).last_start_time == booted
    assert reasons(outcome)["Ready"] == ("True", "Running")
    assert reasons(outcome)["LiveMigratable"] == ("True", "Migratable")
    assert told(outcome) == ["Started"]


def test_a_manifest_takes_three_writes_to_a_running_guest() -> None:
    subject = vm(finalizer=False)
    seen = world(subject)
    writes, now = [], NOW
    for _ in range(10):
        outcome = reconcile(subject, seen, now)
        if outcome.work:
            now = finished(seen, outcome)
        elif outcome.protect or outcome.status not in (None, subject.status):
            subject = taken(seen, subject, outcome)
            writes.append(subject.status.phase or "finalizer")
    assert writes == ["finalizer", "Starting", "Running"]


# Prerequisites


@pytest.mark.parametrize(
    ("objects", "phase", "prerequisite", "ready", "partner"),
    [
        ([flavor(lifecycle={"state": "Obsolete"})], "Pending", "FlavorObsolete", "FlavorNotFound", "Stalled"),
        ([image()], "Pending", "ImageNotReady", "ImageNotReady", "Reconciling"),
        ([image(deleting=True)], "Pending", "ImageNotFound", "ImageNotReady", "Stalled"),
        ([image(status=imported(), min_disk="1Ti")], "Pending", "ImageTooLarge", "ImageNotReady", "Stalled"),
    ],
)
def test_what_is_missing_is_a_condition_with_the_contracts_words(
    objects: list[AnyResource], phase: str, prerequisite: str, ready: str, partner: str
) -> None:
    outcome = outcome_of(vm(), *objects, at=10)
    assert status_of(outcome).phase == phase
    assert status_of(outcome).host_name is None
    assert reasons(outcome) == {
        "Ready": ("False", ready),
        "PrerequisitesReady": ("False", prerequisite),
        "LiveMigratable": ("False", "NotRunning"),
        partner: ("True", ready),
    }


def test_an_exhausted_network_is_a_network_that_is_not_ready() -> None:
    full = network(cidr="10.0.0.0/30", status=active())
    other = vm("b", status=placed(interfaces=[interface("10.0.0.2")]))
    outcome = outcome_of(vm(networks=[{"name": "eth0", "network_ref": {"name": "net"}}]), full, other, at=10)
    assert reasons(outcome)["PrerequisitesReady"] == ("False", "AddressUnavailable")
    assert reasons(outcome)["Ready"] == ("False", "NetworkNotReady")


def test_volumes_from_templates_are_created_while_the_vm_is_provisioning() -> None:
    subject = vm(volumes=[{"name": "data", "template": {"size": "5Gi"}}])
    seen = world(subject)
    outcome = reconciled(reconcile, subject, seen, later(10))
    assert status_of(outcome).phase == "Provisioning"
    assert [child.resource.key for child in outcome.children] == [Key("Volume", "default", "a-data")]
    written = seen.find(subject.key)
    assert isinstance(written, VirtualMachine)
    seen.observe(volume("a-data", status=provisioned(), owner_references=[owned_by(subject)]))
    assert status_of(reconciled(reconcile, written, seen)).phase == "Starting"


def test_a_new_vm_is_given_a_moment_for_what_is_being_made_beside_it_before_anything_is_written() -> None:
    subject = vm()
    outcome = outcome_of(subject, image())
    assert outcome.status is None
    assert outcome.requeue_at is not None
    assert status_of(outcome_of(subject, image(), at=(outcome.requeue_at - NOW).total_seconds())).phase == "Pending"
    assert status_of(outcome_of(subject, image(deleting=True))).phase == "Pending", "waiting does not mend this"


# Unschedulable


def test_a_vm_no_host_has_room_for_says_how_many_failed_on_what() -> None:
    subject = vm()
    big = vm("b", status=placed(memory="62Gi"))
    outcome = outcome_of(subject, host("p1-1", unschedulable=True), big)
    status = status_of(outcome)
    assert status.phase == "Unschedulable"
    assert status.placement is not None
    assert status.placement.rejections == {"insufficient memory": 1, "cordoned": 1}
    assert message(outcome, "Scheduled") == (
        "0/2 hosts available: 1 cordoned, 1 insufficient memory; "
        "it would fit: uncordon p1-1; one more host like p1-0 in pool p1"
    )
    assert reasons(outcome)["Scheduled"] == ("False", "NoCapacity")
    assert reasons(outcome)["Ready"] == ("False", "Unschedulable")
    assert reasons(outcome)["PrerequisitesReady"] == ("True", "Ready")
    assert told(outcome) == ["FailedScheduling"]
    assert outcome.requeue_at is None


def test_a_selector_no_host_matches_is_another_reason() -> None:
    outcome = outcome_of(vm(placement={"nodeSelector": {"disk": "ssd"}}))
    assert reasons(outcome)["Scheduled"] == ("False", "AffinityUnsatisfiable")


def test_the_same_refusal_again_is_no_write_and_another_one_is() -> None:
    subject = vm(placement={"nodeSelector": {"disk": "ssd"}})
    seen = world(subject)
    reconciled(reconcile, subject, seen)
    written = seen.find(subject.key)
    assert isinstance(written, VirtualMachine)
    assert reconcile(written, seen, later(60)).status == written.status
    seen.observe(host("p1-1", unschedulable=True))
    again = reconcile(written, seen, later(60))
    assert status_of(again).placement != written.status.placement
    assert told(again) == ["FailedScheduling"]


def test_an_unschedulable_vm_is_placed_once_there_is_room() -> None:
    subject = vm(status={"phase": "Unschedulable"})
    assert status_of(outcome_of(subject)).phase == "Starting"


# Stopping and stopped


def test_a_halted_vm_is_stopped_and_ready() -> None:
    outcome = outcome_of(vm(run_strategy="Halted"))
    assert status_of(outcome).phase == "Stopped"
    assert status_of(outcome).usage is None
    assert reasons(outcome) == {"Ready": ("True", "Stopped"), "LiveMigratable": ("False", "NotRunning")}
    assert told(outcome) == []


@pytest.mark.parametrize("phase", ["Starting", "Running", "Paused", "Migrating"])
def test_a_vm_that_is_halted_shuts_down_from_wherever_it_is(phase: str) -> None:
    subject = vm(run_strategy="Halted", status=on_host(phase))
    outcome = outcome_of(subject, at=60)
    assert status_of(outcome).phase == "Stopping"
    assert status_of(outcome).host_name == "p1-0"
    assert status_of(outcome).transition_started_at == later(60)
    assert reasons(outcome)["Ready"] == ("False", "Stopping")
    assert told(outcome) == ["Stopping"]


def test_once_shut_down_the_host_is_released_and_addresses_volumes_and_size_are_kept() -> None:
    kept = {"interfaces": [interface("10.0.0.5")], "volumes": [{"name": "data", "volume": "data"}]}
    status = on_host("Stopping", transitionStartedAt=later(60).isoformat(), primaryIP="10.0.0.5", **kept)
    subject = vm(run_strategy="Halted", status=status)
    seen = world(subject)
    waiting = reconciled(reconcile, subject, seen)
    assert waiting.work == {Shutdown(subject.uid, later(60), seen.pace("p1"))}
    down = finished(seen, waiting)
    outcome = reconciled(reconcile, subject, seen, later(100))
    after = status_of(outcome)
    assert (after.phase, after.host_name, after.node_pool_name, after.failure_domain) == ("Stopped", None, None, None)
    assert (after.interfaces, after.volumes, after.flavor) == (
        subject.status.interfaces,
        subject.status.volumes,
        subject.status.flavor,
    )
    assert after.usage is not None
    assert after.usage.open is not None
    assert (after.usage.open.phase, after.usage.open.since) == ("Stopped", down)
    assert told(outcome) == ["Stopped"]


def test_a_stopped_vm_starts_again_where_there_is_room_with_its_own_address() -> None:
    nic = {"name": "eth0", "network_ref": {"name": "net"}}
    stopped = {"phase": "Stopped", "flavor": SMALL_STATUS, "interfaces": [interface("10.0.0.5")], "bootAttempt": 3}
    outcome = outcome_of(vm(networks=[nic], status=stopped), network(status=active()), image())
    assert (status_of(outcome).phase, status_of(outcome).primary_ip) == ("Starting", "10.0.0.5")
    assert status_of(outcome).boot_attempt == 4


def test_a_restart_is_a_shutdown_followed_by_a_start_in_one_write() -> None:
    subject = acting("restart@1", status=on_host())
    outcome = outcome_of(subject)
    assert (status_of(outcome).phase, status_of(outcome).last_action) == ("Stopping", "restart@1")
    assert told(outcome) == ["Restarted"]
    stopping = acting(
        "restart@1", status=on_host("Stopping", transitionStartedAt=NOW.isoformat(), lastAction="restart@1")
    )
    seen = world(stopping)
    down = finished(seen, reconciled(reconcile, stopping, seen))
    again = reconciled(reconcile, stopping, seen, down)
    assert status_of(again).phase == "Starting"
    assert status_of(again).boot_attempt == 2
    assert status_of(again).restarts == 0


def test_a_changed_flavor_is_told_and_taken_at_the_next_start() -> None:
    large = flavor("large", cpu={"guest": 8})
    running = outcome_of(vm(flavor_ref={"name": "large"}, status=on_host()), large)
    assert reasons(running)["RestartRequired"] == ("True", "FlavorChanged")
    stopping = vm(flavor_ref={"name": "large"}, status=on_host("Stopping", transitionStartedAt=NOW.isoformat()))
    seen = world(stopping, large)
    now = finished(seen, reconciled(reconcile, stopping, seen))
    started = reconciled(reconcile, stopping, seen, now)
    resolved = status_of(started).flavor
    assert resolved is not None
    assert (resolved.name, resolved.vcpus) == ("large", 8)
    assert "RestartRequired" not in reasons(started)


# Pausing


def test_a_paused_guest_keeps_its_place_and_is_charged_its_disk() -> None:
    outcome = outcome_of(vm(paused=True, status=on_host()), at=60)
    status = status_of(outcome)
    assert (status.phase, status.host_name) == ("Paused", "p1-0")
    assert status.usage is not None
    assert status.usage.open is not None
    assert (status.usage.open.phase, status.usage.open.since, status.usage.open.vcpus) == ("Paused", later(60), 0)
    assert reasons(outcome)["Ready"] == ("False", "Paused")
    assert reasons(outcome)["Paused"] == ("True", "Paused")
    assert "Reconciling" not in reasons(outcome)
    assert told(outcome) == ["Paused"]


def test_a_guest_paused_by_an_action_is_resumed_by_one() -> None:
    assert status_of(outcome_of(acting("pause@1", status=on_host()))).phase == "Paused"
    outcome = outcome_of(acting("resume@2", status=on_host("Paused")))
    assert (status_of(outcome).phase, status_of(outcome).last_action) == ("Running", "resume@2")
    assert told(outcome) == ["Resumed"]


def test_an_action_that_contradicts_the_run_strategy_is_told_once_and_not_carried_out() -> None:
    outcome = outcome_of(acting("stop@1", status=on_host()))
    assert status_of(outcome).phase == "Running"
    assert told(outcome) == ["InvalidAction"]


# Migration


def test_a_vm_whose_migration_holds_a_target_shows_migrating_and_stays_ready() -> None:
    subject = vm(status=on_host())
    outcome = outcome_of(subject, host("p1-1"), migration(status=moving("p1-1")))
    status = status_of(outcome)
    assert (status.phase, status.host_name) == ("Migrating", "p1-0")
    assert status.migration is not None
    assert status.migration.current == "a-1"
    assert reasons(outcome)["Ready"] == ("True", "Running")
    assert told(outcome) == ["Migrating"]


MIGRATING = {"migration": {"current": "a-1"}}


def test_the_vm_commits_once_commitment_is_confirmed() -> None:
    target = host("p1-1", failure_domain="z2")
    committed = migration(status=moving("p1-1", phase="Commitment", result={"downtimeMilliseconds": 84.2}))
    outcome = outcome_of(vm(status=on_host("Migrating", **MIGRATING)), target, committed, at=60)
    status = status_of(outcome)
    assert (status.phase, status.host_name, status.failure_domain) == ("Running", "p1-1", "z2")
    assert status.migration is not None
    assert (status.migration.current, status.migration.last, status.migration.last_result) == (None, "a-1", "Succeeded")
    assert status.usage is not None
    assert status.usage.open is not None
    assert (status.usage.open.zone, status.usage.open.since, status.usage.open.seq) == ("z2", later(60), 2)
    assert [event.message for event in outcome.events] == ["from p1-0 to p1-1, downtime 84 ms"]


def test_an_assumed_commitment_is_no_reason_to_move() -> None:
    subject = vm(status=on_host("Migrating", **MIGRATING))
    seen = world(subject, host("p1-1"), migration(status=moving("p1-1", phase="StopAndCopy")))
    seen.assume(migration(status=moving("p1-1", phase="Commitment")))
    assert reconcile(subject, seen, NOW).status is not None
    assert status_of(reconcile(subject, seen, NOW)).host_name == "p1-0"


def test_a_vm_does_not_move_while_a_cancel_is_assumed() -> None:
    subject = vm(status=on_host("Migrating", **MIGRATING))
    seen = world(subject, host("p1-1"), migration(status=moving("p1-1", phase="Commitment")))
    seen.assume(migration(status=moving("p1-1", phase="Cancelled")))
    assert status_of(reconcile(subject, seen, NOW)).host_name == "p1-0"


@pytest.mark.parametrize(
    "target", [host("p1-1", fault={"type": "Crash"}), host("p1-1", status=DOWN), host("p1-1", power_state="Off")]
)
def test_a_vm_does_not_move_to_a_target_that_is_not_up(target: AnyResource) -> None:
    subject = vm(status=on_host("Migrating", **MIGRATING))
    outcome = outcome_of(subject, target, migration(status=moving("p1-1", phase="Commitment")))
    assert (status_of(outcome).phase, status_of(outcome).host_name) == ("Migrating", "p1-0")


def test_a_vm_that_does_not_show_migrating_yet_does_so_before_it_moves() -> None:
    outcome = outcome_of(
        vm(status=on_host()), host("p1-1"), migration(status=moving("p1-1", phase="Commitment")), writes=2
    )
    assert (status_of(outcome).phase, status_of(outcome).host_name) == ("Migrating", "p1-0")


@pytest.mark.parametrize(
    ("ended", "result", "event"),
    [
        (moving("p1-1", phase="Failed", failureReason="NotConverging"), "Failed", "MigrationFailed"),
        (moving("p1-1", phase="Cancelled", failureReason="Cancelled"), "Cancelled", "MigrationCancelled"),
        (None, "Cancelled", "MigrationCancelled"),
    ],
)
def test_when_the_migration_ends_early_the_guest_goes_on_where_it_is(
    ended: dict[str, Any] | None, result: str, event: str
) -> None:
    others = [migration(status=ended)] if ended else []
    outcome = outcome_of(vm(status=on_host("Migrating", **MIGRATING)), *others)
    status = status_of(outcome)
    assert (status.phase, status.host_name) == ("Running", "p1-0")
    assert status.migration is not None
    assert (status.migration.current, status.migration.last, status.migration.last_result) == (None, "a-1", result)
    assert told(outcome) == [event]


def test_after_the_commit_nothing_is_written_while_the_migration_activates() -> None:
    status = placed("p1-1", migration={"last": "a-1", "lastResult": "Succeeded"})
    outcome = outcome_of(vm(status=status), host("p1-1"), migration(status=moving("p1-1", phase="Activation")))
    assert outcome == Outcome()


# Drains


@pytest.mark.parametrize(
    ("strategy", "tried", "ended", "evicted"),
    [
        ("LiveMigrate", None, 0, False),
        ("None", None, 0, True),
        ("LiveMigrateIfPossible", None, 0, False),
        ("LiveMigrateIfPossible", "Failed", 1, True),
        ("LiveMigrateIfPossible", "Failed", -1, False),
        ("LiveMigrateIfPossible", "Cancelled", 1, False),
    ],
)
def test_a_drain_stops_only_vms_that_will_not_or_cannot_be_moved_live(
    strategy: str, tried: str | None, ended: int, evicted: bool
) -> None:
    asked = [condition("Ready", "True", "HostReady"), condition("Drained", "False", "InProgress", since=NOW)]
    draining = host("p1-0", maintenance={"mode": "Drain"}, status={"phase": "Draining", "conditions": asked})
    subject = vm(eviction_strategy=strategy, status=on_host())
    move = {"phase": tried, "endTimestamp": later(ended).isoformat()}
    outcome = outcome_of(subject, draining, *([migration(status=move)] if tried else []), at=2)
    assert status_of(outcome).phase == ("Stopping" if evicted else "Running")
    assert told(outcome) == (["EvictionRequested"] if evicted else [])


def test_an_evicted_vm_starts_elsewhere() -> None:
    draining = host("p1-0", maintenance={"mode": "Drain"})
    status = on_host("Stopping", transitionStartedAt=NOW.isoformat())
    subject = vm(eviction_strategy="None", status=status)
    seen = world(subject, draining, host("p1-1"))
    now = finished(seen, reconciled(reconcile, subject, seen))
    assert status_of(reconciled(reconcile, subject, seen, now)).host_name == "p1-1"


# Deletion


def test_a_deleted_vm_shuts_down_then_releases_all_in_one_write_then_goes() -> None:
    held = {"interfaces": [interface("10.0.0.5")], "volumes": [{"name": "data", "volume": "data"}]}
    subject = vm(deleting=True, status=on_host(**held))
    seen = world(subject)
    first = reconciled(reconcile, subject, seen)
    assert (status_of(first).phase, status_of(first).host_name) == ("Terminating", "p1-0")
    terminating = seen.find(subject.key)
    assert isinstance(terminating, VirtualMachine)
    down = finished(seen, reconcile(terminating, seen, later(1)))
    second = reconcile(terminating, seen, later(60))
    after = status_of(second)
    assert (after.host_name, after.interfaces, after.volumes, after.primary_ip) == (None, (), (), None)
    assert after.usage is not None
    assert after.usage.open is None
    assert after.usage.closed.vcpu_millis == 2 * round((down - NOW).total_seconds() * 1000)
    released = taken(seen, terminating, second)
    third = reconcile(released, seen, later(60))
    assert third.protect is False
    assert told(third) == ["Terminated"]
    gone = vm(deleting=True, finalizer=False, status={"phase": "Terminating"})
    assert reconcile(gone, seen, later(60)) == Outcome()


@pytest.mark.parametrize("phase", ["Pending", "Unschedulable", "Stopped", "Failed"])
def test_a_deleted_vm_that_holds_nothing_goes_at_once(phase: str) -> None:
    subject = vm(deleting=True, status={"phase": phase})
    seen = world(subject)
    assert status_of(reconciled(reconcile, subject, seen)).phase == "Terminating"
    terminating = seen.find(subject.key)
    assert terminating is not None
    assert reconcile(terminating, seen, NOW).protect is False


# Every phase under every declaration

FAILED = {
    "phase": "Failed",
    "conditions": [condition("Ready", "False", "Failed", "lost"), condition("Stalled", "True", "Failed", "lost")],
}


@pytest.mark.parametrize("strategy", ["Always", "RerunOnFailure", "Once", "Manual", "Halted"])
@pytest.mark.parametrize(
    "status",
    [
        None,
        {"phase": "Pending"},
        {"phase": "Provisioning"},
        {"phase": "Unschedulable"},
        {"phase": "Stopped"},
        FAILED,
        *(on_host(p) for p in ("Starting", "Running", "Paused", "Migrating", "Stopping")),
        on_host("Unknown", conditions=[condition("Ready", "False", "HostUnreachable")]),
    ],
    ids=lambda status: str((status or {}).get("phase")),
)
@pytest.mark.parametrize("weather", ["fair", *LOST, "host gone", "flavor gone", "draining", "paused", "deleting"])
def test_whatever_is_declared_and_happens_the_phase_follows_the_table_and_comes_to_rest(
    strategy: str, status: dict[str, Any] | None, weather: str
) -> None:
    fields: dict[str, Any] = {"run_strategy": strategy, "status": status, "paused": weather == "paused"}
    subject = vm(deleting=weather == "deleting", **fields)
    seen = world(
        subject,
        host("p1-1"),
        *([host("p1-0", status=LOST[weather])] if weather in LOST else []),
        *([host("p1-0", maintenance={"mode": "Drain"})] if weather == "draining" else []),
    )
    if weather == "host gone":
        seen.gone(host("p1-0").key, "")
    if weather == "flavor gone":
        seen.gone(flavor().key, "")
    moved_and_paused = weather == "paused" and (status or {}).get("phase") == "Migrating" and strategy != "Halted"
    outcome = reconciled(reconcile, subject, seen, writes=2 if moved_and_paused else 1)
    if status is None:
        assert outcome.status is not None, "something is said about every VM"


# What wakes a VM


def woken(before: AnyResource | None, after: AnyResource | None, *others: AnyResource) -> set[str]:
    changed = after if after is not None else before
    assert changed is not None
    seen = world_of(*others, *([after] if after is not None else []))
    keys = [
        key for watch in CONTROLLER.watches if watch.kind == changed.KIND for key in watch.affected(before, after, seen)
    ]
    return {key.name for key in keys}


WAITING = vm("waiting", status={"phase": "Unschedulable"})


def test_a_vm_looks_again_when_what_it_needs_changes_but_not_for_a_view_of_its_users() -> None:
    assert woken(image(), image(status=imported()), vm("a")) == {"a"}
    assert woken(None, flavor(), vm("a")) == {"a"}
    assert woken(
        volume(), volume(status=provisioned()), vm("a", volumes=[{"name": "d", "volumeRef": {"name": "data"}}])
    ) == {"a"}
    net = network(status=active())
    nic = {"name": "eth0", "network_ref": {"name": "net"}}
    assert woken(net, network(status=active(usedIPs=4)), vm("a", networks=[nic])) == set()


def test_a_vm_looks_again_when_its_host_goes_down_or_is_drained_but_not_for_its_counters() -> None:
    mine = vm("a", status=placed("p1-0"))
    assert woken(host(), host(status=DOWN), mine) == {"a"}
    assert woken(host(), host(maintenance={"mode": "Drain"}), mine) == {"a"}
    counted = {"phase": "Ready", "virtualMachines": 7, "conditions": [condition("Ready", "True", "HostReady")]}
    assert woken(host(), host(status=counted), mine, WAITING) == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, host()),
        (host(unschedulable=True), host()),
        (host(maintenance={"mode": "Drain"}), host()),
        (host(status=DOWN), host()),
        (vm("b", status=placed()), None),
        (vm("b", status=placed()), vm("b", status={"phase": "Stopped"})),
        (migration(status=moving("p1-1")), migration(status=moving("p1-1", phase="Failed"))),
        (migration(status=moving("p1-1")), None),
    ],
)
def test_a_waiting_vm_looks_again_when_room_may_have_come_free(
    before: AnyResource | None, after: AnyResource | None
) -> None:
    hosts = [] if isinstance(after, Host) else [host(), host("p1-1")]
    assert "waiting" in woken(before, after, WAITING, flavor(), image(status=imported()), *hosts)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, host(unschedulable=True)),
        (vm("b", status=placed()), None),
        (migration(status=moving("p1-0")), None),
    ],
)
def test_a_waiting_vm_is_left_alone_where_the_room_that_came_free_would_not_do(
    before: AnyResource | None, after: AnyResource | None
) -> None:
    hosts = [] if isinstance(after, Host) else [host(unschedulable=True), host("p1-1")]
    assert "waiting" not in woken(before, after, WAITING, flavor(), image(status=imported()), *hosts)


def test_a_waiting_vm_is_not_woken_by_a_vm_that_only_runs_on() -> None:
    running = vm("b", status=placed())
    assert woken(running, edited(running, spec={"paused": True}), WAITING) == set()


def test_a_vm_looks_again_at_each_phase_of_its_migration() -> None:
    move = migration(status=moving("p1-1"))
    assert woken(move, migration(status=moving("p1-1", phase="StopAndCopy"))) == {"a"}
    assert woken(move, migration(status=moving("p1-1", progress={"iteration": 2}))) == set()
