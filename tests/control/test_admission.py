"""What `drover admission` refuses and warns of: a world and an object in, a verdict out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import (
    HARDWARE,
    NOW,
    active,
    condition,
    edited,
    flavor,
    group,
    host,
    image,
    imported,
    migration,
    network,
    owned_by,
    placed,
    plan,
    policy,
    pool,
    priority_class,
    provisioned,
    volume,
)
from worlds import vm as machine
from worlds import world_of as of

from drover.api.meta import AnyResource, Key, dump
from drover.api.virtualmachine import VirtualMachine
from drover.control.admission import Rules, Verdict, review
from drover.control.virtualmachine.prerequisites import Missing, gather
from drover.control.world import World

UP = {"observedGeneration": 1, "conditions": [condition("Ready", "True", "AllHostsReady")], "readyReplicas": 1}
TINY = HARDWARE | {"memory": "6Gi"}
"""Room for one small VM."""
BASE: tuple[AnyResource, ...] = (
    pool(status=UP),
    host("p1-0"),
    flavor(),
    image(status=imported()),
    network(status=active()),
)


def vm(name: str = "new", **fields: Any) -> VirtualMachine:
    """A VM that needs placing."""
    return machine(name, **fields)


def world_with(*objects: AnyResource) -> World:
    """The base with these objects, which replace those of their names."""
    return of(*{resource.key: resource for resource in (*BASE, *objects)}.values())


def judged(
    new: AnyResource, *objects: AnyResource, old: AnyResource | None = None, dry_run: bool = False, **rules: Any
) -> Verdict:
    world = world_with(*objects, *([old] if old is not None else []))
    return review(new, old, world, NOW, Rules(**rules), dry_run=dry_run)


NIC = {"name": "eth0", "network_ref": {"name": "net"}}
DANGLING: dict[str, tuple[AnyResource, str]] = {
    "flavor": (
        vm(flavor_ref={"name": "gold"}),
        "gold does not exist: create it, or set spec.flavorRef.name to one of `kubectl get flv` (FlavorNotFound)",
    ),
    "image": (
        vm(image_ref={"name": "none"}),
        "image default/none does not exist: create it, or create the VM with another (ImageNotFound)",
    ),
    "network": (
        vm(networks=[NIC | {"network_ref": {"name": "none"}}]),
        "network default/none does not exist: create it, or correct spec.networks[eth0].networkRef (NetworkNotReady)",
    ),
    "subnet": (vm(networks=[NIC | {"subnet": "b"}]), "network default/net has no subnet b: choose one of a"),
    "address": (vm(networks=[NIC | {"ip_address": "10.9.0.1"}]), "(AddressUnavailable)"),
    "volume": (
        vm(volumes=[{"name": "d", "volume_ref": {"name": "none"}}]),
        "volume none does not exist: create it, or correct spec.volumes[d].volumeRef (VolumeNotReady)",
    ),
    "image of a template": (
        vm(volumes=[{"name": "d", "template": {"size": "1Gi", "imageRef": {"name": "none"}}}]),
        "image default/none does not exist: create it, or a new volume with another source (SourceNotReady)",
    ),
    "placement group": (
        vm(placement={"placementGroupName": "none"}),
        "placement group none does not exist: create it, or remove spec.placement.placementGroupName",
    ),
    "pool": (
        vm(placement={"nodePoolName": "none"}),
        "node pool none does not exist: create it, or correct spec.placement.nodePoolName (PoolNotFound)",
    ),
    "priority class": (
        vm(priority_class_name="none"),
        "PriorityClass none does not exist: create it, or set spec.priorityClassName to one of",
    ),
    "source of a volume": (
        volume(source={"type": "Image", "ref": {"name": "none"}}),
        "image default/none does not exist: create it, or a new volume with another source (SourceNotReady)",
    ),
    "volume too small": (
        volume(size="1Gi", source={"type": "Image", "ref": {"name": "debian"}}),
        "image default/debian needs 4Gi, the volume has 1Gi: raise spec.size to at least 4Gi (ProvisioningFailed)",
    ),
    "VM of a migration": (
        migration(of="none"),
        "VirtualMachine none does not exist in default: create it, then another migration of it",
    ),
    "policy of a migration": (
        migration(of="runs", policy_name="none"),
        "MigrationPolicy none does not exist: create it or remove spec.policyName",
    ),
    "target of a migration": (
        migration(of="runs", target_host_name="p9-0"),
        "host p9-0 does not exist: see `kubectl get hosts` (HostNotFound)",
    ),
    "VMs of a plan": (
        plan(virtual_machines=[{"name": "x"}, {"name": "runs"}, {"name": "y"}]),
        "2 of 3 VMs do not exist: default/x, default/y: create them, or remove them from spec.virtualMachines",
    ),
    "targets of a plan": (
        plan(virtual_machines=[{"name": "runs", "targetHostName": "p9-0"}], target={"hostNames": ["p9-1"]}),
        "host p9-0 does not exist: see `kubectl get hosts` (HostNotFound); host p9-1 does not exist",
    ),
    "pool of a plan": (
        plan(virtual_machines=[{"name": "runs"}], target={"nodePoolName": "none"}),
        "node pool none does not exist: create it, or correct spec.target.nodePoolName",
    ),
    "policy of a plan": (
        plan(virtual_machines=[{"name": "runs"}], policy_name="none"),
        "MigrationPolicy none does not exist: create it or remove spec.policyName",
    ),
    "host of a drain": (
        plan(namespace="drover-system", host_name="p9-0"),
        "host p9-0 does not exist: see `kubectl get hosts`",
    ),
    "drain from elsewhere": (plan(host_name="p1-0"), "it works in namespace drover-system only"),
}
RUNS = machine("runs", status=placed("p1-0"))


@pytest.mark.parametrize(("new", "words"), DANGLING.values(), ids=DANGLING)
def test_what_is_not_there_is_refused_by_name_with_the_mend(new: AnyResource, words: str) -> None:
    verdict = judged(new, RUNS)
    assert verdict.refusal is not None
    assert words in verdict.refusal
    assert judged(new, RUNS, references="Warn").refusal is None
    (told,) = {warning for warning in judged(new, RUNS, references="Warn").warnings if words[:40] in warning}
    assert told.startswith(f"{new.SHORT_NAMES[0]} {new.namespace}/{new.name}: ")


@pytest.mark.parametrize("new", [new for new, _ in DANGLING.values()], ids=DANGLING)
def test_an_object_that_was_so_before_can_still_be_changed(new: AnyResource) -> None:
    """Its user changes something else, or nothing of the spec."""
    other = {"spec": {"paused": True}} if new.KIND != "VirtualMachineMigration" else {"spec": {"cancel": True}}
    if new.KIND == "Volume":
        other = {"spec": {"reclaimPolicy": "Retain"}}
    assert judged(edited(new, **other), RUNS, old=new) == Verdict()
    assert judged(edited(new, labels={"a": "b"}), RUNS, old=new) == Verdict()


@pytest.mark.parametrize("new", [new for new, _ in DANGLING.values()], ids=DANGLING)
def test_what_is_being_deleted_is_left_alone(new: AnyResource) -> None:
    going = edited(new, spec={"paused": True}, deletionTimestamp=NOW.isoformat())
    assert judged(going, RUNS, old=new) == Verdict()
    assert judged(going, RUNS, old=None) == Verdict()


def test_a_change_that_introduces_the_fault_is_refused() -> None:
    changed = edited(RUNS, spec={"flavorRef": {"name": "gold"}})
    assert "flavor gold does not exist" in str(judged(changed, old=RUNS).refusal)


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = vm(
        flavor_ref={"name": "gold"}, networks=[NIC | {"network_ref": {"name": "none"}}], priority_class_name="no"
    )
    told = str(judged(wrong).refusal)
    assert [told.count(word) for word in ("flavor gold", "network default/none", "PriorityClass no")] == [1, 1, 1]


def test_what_mends_itself_is_not_refused() -> None:
    """An image is imported, a network made, a volume provisioned, a volume of a template created."""
    disks = [{"name": "a", "volume_ref": {"name": "data"}}, {"name": "b", "template": {"size": "1Gi"}}]
    new = vm(networks=[NIC], volumes=disks)
    assert judged(new, image(), network(), volume()) == Verdict()
    assert isinstance(gather(new, world_with(image(), network(), volume())), Missing)


def test_a_vm_made_anew_under_its_name_is_let_in_while_the_volumes_of_the_one_before_it_go() -> None:
    new = vm(volumes=[{"name": "data", "template": {"size": "1Gi"}}])
    owner = owned_by(new) | {"uid": "the one before"}
    assert judged(new, volume("new-data", status=provisioned(), owner_references=[owner], deleting=True)) == Verdict()


def test_what_the_controller_would_say_is_what_is_said() -> None:
    for new, _ in DANGLING.values():
        if isinstance(new, VirtualMachine):
            missing = gather(new, world_with())
            if isinstance(missing, Missing) and missing.stalled:
                assert f"{missing.message} ({missing.reason})" in str(judged(new).refusal)


def test_a_refusal_says_what_it_rests_on_so_that_it_can_be_looked_at_again() -> None:
    verdict = judged(vm(flavor_ref={"name": "gold"}, networks=[NIC]))
    wanted = {Key("Flavor", "", "gold"), Key("Image", "default", "debian"), Key("Network", "default", "net")}
    assert verdict.rests_on == wanted
    without_room = judged(vm(), host("p1-0", hardware=HARDWARE | {"memory": "2Gi"}))
    assert without_room.rests_on == {Key("NodePool", "", ""), vm().key}, "the one before it may hold the place still"
    assert judged(vm()).rests_on == frozenset()


# Room

FULL = host("p1-0", hardware=TINY)
TAKEN = machine("old", status=placed("p1-0"))


def test_a_vm_without_room_is_refused_with_the_numbers_and_what_would_help() -> None:
    refusal = judged(vm(), FULL, TAKEN, flavor("mini", memory={"guest": "1Gi"})).refusal
    assert refusal == (
        "0/1 hosts available: 1 insufficient memory; it would fit: flavor mini instead of small: 1 host;"
        " one more host like p1-0 in pool p1 (NoCapacity)"
    )


def test_room_is_warned_of_where_that_is_the_rule() -> None:
    verdict = judged(vm(), FULL, TAKEN, capacity="Warn")
    assert verdict.refusal is None
    assert verdict.warnings[0].startswith("vm default/new: 0/1 hosts available: 1 insufficient memory")


def test_one_that_can_make_room_by_its_priority_is_let_in() -> None:
    low = machine("low", status=placed("p1-0"), preemptible=True)
    urgent = vm(priority_class_name="urgent")
    assert judged(urgent, FULL, low, priority_class()) == Verdict()
    assert judged(vm(), FULL, low, priority_class()).refusal is not None


def test_a_stopped_vm_needs_no_room_until_it_is_started() -> None:
    halted = vm(run_strategy="Halted")
    assert judged(halted, FULL, TAKEN) == Verdict()
    assert "insufficient memory" in str(judged(edited(halted, spec={"runStrategy": "Always"}), FULL, TAKEN, old=halted))
    manual = vm(run_strategy="Manual")
    started = edited(manual, annotations={"drover.dev/action": "start@1"})
    assert "insufficient memory" in str(judged(started, FULL, TAKEN, old=manual).refusal)


def test_a_vm_that_waits_already_can_be_changed_and_one_that_runs_asks_only_for_its_new_size() -> None:
    waiting = vm(status={"phase": "Unschedulable"})
    assert (
        judged(edited(waiting, spec={"priorityClassName": "urgent"}), FULL, TAKEN, priority_class(), old=waiting)
        == Verdict()
    )
    big = flavor("big", memory={"guest": "32Gi"})
    grown = edited(TAKEN, spec={"flavorRef": {"name": "big"}})
    assert "physically too small" in str(judged(grown, FULL, big, old=TAKEN).refusal)
    shrunk = edited(TAKEN, spec={"flavorRef": {"name": "mini"}})
    assert judged(shrunk, FULL, flavor("mini", memory={"guest": "1Gi"}), old=TAKEN) == Verdict()


def test_hosts_that_are_still_coming_are_waited_for() -> None:
    """So that pools and VMs can be applied together."""
    new, making = vm(), {"observedGeneration": 1, "conditions": [condition("Ready", "False", "ScalingUp")]}
    for status in ({"observedGeneration": -1}, making):
        verdict = judged(new, pool(status=status, replicas=3), FULL, TAKEN)
        assert verdict.refusal is None
        assert verdict.warnings[0].startswith("vm default/new: node pool p1 is still coming up, 0 of 3 hosts are ready")
    elsewhere = pool("p2", status={"observedGeneration": -1})
    assert judged(vm(placement={"nodePoolName": "p1"}), elsewhere, FULL, TAKEN).refusal is not None


def test_of_vms_applied_together_only_so_many_are_let_in_as_there_is_room() -> None:
    first = vm("first", creation_timestamp=NOW)
    assert judged(vm(), FULL) == Verdict()
    assert "insufficient memory" in str(judged(vm(), FULL, first).refusal)
    refused_before = vm("first", status={"phase": "Unschedulable"})
    assert judged(vm(), FULL, refused_before) == Verdict()
    assert judged(vm(priority_class_name="urgent"), FULL, first, priority_class()) == Verdict()


# What is told of the future


def test_a_dry_run_tells_where_a_vm_would_land_and_who_came_second() -> None:
    verdict = judged(vm(), host("p1-1", hardware=HARDWARE | {"memory": "32Gi"}), dry_run=True)
    assert verdict.refusal is None
    lands, why = verdict.warnings
    assert re.fullmatch(r"vm default/new: would land on p1-0, score 0\.\d\d, 2 of 2 hosts feasible", lands)
    assert re.fullmatch(r"vm default/new: by strategy Balance: p1-0 .*\(.*\); runner-up p1-1 .*\(.*\)", why)


def test_a_dry_run_tells_what_a_vm_waits_for_first() -> None:
    assert judged(vm(), image(), dry_run=True).warnings[-1] == ("vm default/new: but first: image debian is Pending")


def test_a_dry_run_of_a_stopped_vm_tells_where_it_would_start() -> None:
    (told,) = judged(vm(run_strategy="Halted"), dry_run=True).warnings
    assert "stays stopped, as runStrategy Halted asks; if it were started: on p1-0, score" in told


def test_a_dry_run_is_not_refused_but_told_that_it_would_be() -> None:
    """Flux tries all objects of a folder so before it applies the first: its VMs have no image yet."""
    for new, words in ((vm(flavor_ref={"name": "gold"}), "flavor gold does not exist"), (vm(), "insufficient memory")):
        verdict = judged(new, FULL, TAKEN, dry_run=True)
        assert verdict.refusal is None
        (told,) = verdict.warnings
        assert told.startswith("vm default/new: would be refused: ")
        assert words in told
        assert verdict.rests_on


def test_a_dry_run_of_a_plan_tells_vms_waves_times_pause_and_verdict() -> None:
    told = judged(plan(virtual_machines=[{"name": "runs"}]), RUNS, host("p1-1"), dry_run=True).warnings
    pattern = r"mplan default/plan: 1 of 1 VM to move, 1 wave, \d+ s p50, worst pause \d+ ms, Converges"
    assert re.fullmatch(pattern, told[0])
    assert re.fullmatch(r"mplan default/plan: nine in ten within \d+ s, done by \S+Z; \S+ to send", told[1])
    assert told[2] == "mplan default/plan: moves runs p1-0 > p1-1"


def test_a_dry_run_of_a_plan_that_waits_says_for_what() -> None:
    waiting = plan(virtual_machines=[{"name": "runs"}], approval="Manual")
    told = judged(waiting, RUNS, host("p1-1"), dry_run=True).warnings
    assert "nothing would start yet: approve it: kubectl patch mplan plan" in told[-1]


@pytest.mark.parametrize(("count", "words"), [(6, "6 of 6 VMs to move"), (40, "40 VMs to move are not forecast here")])
def test_a_plan_of_many_vms_is_told_in_short(count: int, words: str) -> None:
    many = [machine(f"m{number}", status=placed("p1-0")) for number in range(count)]
    told = judged(plan(virtual_machines=[{"name": vm.name} for vm in many]), *many, host("p1-1"), dry_run=True).warnings
    assert words in told[0]
    assert not any("nine in ten" in line for line in told)
    if count == 6:
        assert re.fullmatch(r"mplan default/plan: done by \S+Z; \S+ to send", told[1])
        assert told[2].endswith("m2 p1-0 > p1-1 and 3 more")


def test_a_dry_run_of_an_urgent_vm_says_that_others_can_be_stopped_for_it() -> None:
    low = machine("low", status=placed("p1-0"), preemptible=True)
    (told,) = judged(vm(priority_class_name="urgent"), FULL, low, priority_class(), dry_run=True).warnings
    assert "insufficient memory" in told
    assert told.endswith("but VMs of lower priority can be stopped to make room")


def test_a_dry_run_of_one_migration_is_told_as_a_plan_of_one() -> None:
    told = judged(migration(of="runs"), RUNS, host("p1-1"), dry_run=True).warnings
    assert told[0].startswith("vmm default/a-1: 1 of 1 VM to move")


def test_a_dry_run_of_a_drain_tells_what_leaves_and_until_when() -> None:
    busy = host("p1-0")
    drained = edited(busy, spec={"maintenance": {"mode": "Drain"}})
    told = judged(drained, RUNS, host("p1-1"), old=busy, dry_run=True).warnings
    assert told[0].startswith("hst p1-0: 1 of 1 VM to move, 1 wave")
    assert told[2] == "hst p1-0: moves runs p1-0 > p1-1"
    left_alone = machine("runs", status=placed("p1-0"), eviction_strategy="None")
    assert (
        judged(drained, left_alone, host("p1-1"), old=busy, dry_run=True).warnings[0].startswith("hst p1-0: 0 of 0 VMs")
    )


def test_warnings_are_short_enough_to_be_shown_whole() -> None:
    long = vm(networks=[NIC | {"name": f"eth{n}", "network_ref": {"name": "n" * 200}} for n in range(9)])
    assert all(len(warning) <= 255 for warning in judged(long, references="Warn").warnings)


@given(
    flavors=st.sampled_from(["small", "gold"]),
    strategy=st.sampled_from(["Always", "Halted", "Manual"]),
    affinity=st.booleans(),
    grouped=st.booleans(),
    dry_run=st.booleans(),
    known=st.booleans(),
)
def test_a_review_leaves_the_world_as_it_was(
    flavors: str, strategy: str, affinity: bool, grouped: bool, dry_run: bool, known: bool
) -> None:
    apart = {"affinity": [{"type": "AntiAffinity", "enforcement": "Required", "labelSelector": {}}]} if affinity else {}
    placement = apart | ({"placementGroupName": "db"} if grouped else {})
    new = vm(flavor_ref={"name": flavors}, run_strategy=strategy, placement=placement)
    old = vm() if known else None
    world = world_with(RUNS, TAKEN, group(), policy(), *([old] if old else []))
    before = _state(world)
    review(new, old, world, NOW, Rules(), dry_run=dry_run)
    assert _state(world) == before


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (plan(virtual_machines=[{"name": "runs"}]), None),
        (migration(of="runs"), None),
        (edited(host("p1-0"), spec={"maintenance": {"mode": "Drain"}}), host("p1-0")),
    ],
)
def test_a_dry_run_of_moves_leaves_the_world_as_it_was(new: AnyResource, old: AnyResource | None) -> None:
    world = world_with(RUNS, host("p1-1"))
    before = _state(world)
    assert review(new, old, world, NOW, Rules(), dry_run=True).warnings
    assert _state(world) == before


def _state(world: World) -> object:
    """Marks are left out: those of a selector that nobody names any more are not looked at."""
    keys = [key for kind in ("VirtualMachine", "Host") for key in world.keys(kind)]
    objects = {key: dump(found) for key in keys if (found := world.find(key)) is not None}
    names = [row.name for row in world.ledger.table.rows]
    held = {name: {uid: claim.resources for uid, claim in world.ledger.claims_on(name).items()} for name in names}
    return objects, held, world.vms_of_group[Key("PlacementGroup", "default", "db")], world.books.violations()
