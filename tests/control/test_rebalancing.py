"""Rebalancing: moves that never make a pool worse, each of which holds when it is its turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import mean, pstdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import HARDWARE, edited, flavor, host, make, migration, moving, placed, plan, pool, vm, world_of

from drover.api.meta import AnyResource, dump
from drover.api.virtualmachine import VirtualMachine
from drover.control.rebalancing import Goal, Proposal, plans, propose
from drover.control.world import World
from drover.control.world.requests import request_of
from drover.model.placement import Placed, Request, decide

ENOUGH = 100
SIZES: tuple[dict[str, Any], ...] = (
    {"vcpus": 2, "memory": "4Gi"},
    {"vcpus": 16, "memory": "8Gi"},
    {"vcpus": 4, "memory": "24Gi"},
)


def base(hosts: int = 3, **fields: Any) -> list[AnyResource]:
    return [pool(**fields), flavor(), *(host(f"p1-{number}") for number in range(hosts))]


def moves(proposal: Proposal) -> list[tuple[str, str, str]]:
    return [(move.vm.name, move.source, move.target) for move in proposal.moves]


def packed(*objects: AnyResource, budget: int = ENOUGH) -> Proposal:
    return propose("p1", "pack", world_of(*objects), budget)


def balanced(*objects: AnyResource, budget: int = ENOUGH) -> Proposal:
    return propose("p1", "balance", world_of(*objects), budget)


# What is proposed


def test_packing_empties_the_hosts_with_fewest_vms() -> None:
    vms = [vm("a", status=placed("p1-0")), vm("b", status=placed("p1-0")), vm("c", status=placed("p1-1"))]
    proposal = packed(*base(), *vms)
    assert moves(proposal) == [("c", "p1-1", "p1-0")]
    assert (proposal.before.hosts_in_use, proposal.after.hosts_in_use) == (2, 1)
    assert proposal.transfer_bytes > 3 * 2**30


def test_balancing_moves_load_to_idle_hosts_until_nothing_helps() -> None:
    vms = [vm(name, status=placed("p1-0")) for name in "abcdef"]
    proposal = balanced(*base(), *vms)
    after = Counter(target for _, _, target in moves(proposal))
    assert after == {"p1-1": 2, "p1-2": 2}
    assert proposal.before.variation == pytest.approx(2**0.5)
    assert proposal.after.variation == pytest.approx(0)


def test_a_single_move_counts_in_a_large_pool_too() -> None:
    vms = [vm(f"v{n}", status=placed(f"p1-{n % 450}")) for n in range(1800)]
    assert len(balanced(*base(900), *vms, budget=3).moves) == 3


@pytest.mark.parametrize("goal", ["pack", "balance"])
def test_a_pool_that_cannot_be_bettered_is_left_as_it_is(goal: Goal) -> None:
    vms = [vm(name, status=placed(f"p1-{number}", memory="40Gi")) for number, name in enumerate("abc")]
    proposal = propose("p1", goal, world_of(*base(), *vms), ENOUGH)
    assert moves(proposal) == []
    assert proposal.before == proposal.after
    assert plans(proposal) == ()


@pytest.mark.parametrize(("goal", "budget", "count"), [("pack", 2, 2), ("pack", 1, 0), ("balance", 1, 1)])
def test_the_budget_is_kept_and_no_host_is_emptied_in_part(goal: Goal, budget: int, count: int) -> None:
    vms = [vm(f"{name}{number}", status=placed(f"p1-{number}")) for number in range(2) for name in "ab"]
    vms += [vm("c0", status=placed("p1-0"))]
    assert len(propose("p1", goal, world_of(*base(), *vms), budget).moves) == count


def test_hosts_of_other_pools_are_neither_emptied_nor_filled() -> None:
    other = [pool("p2"), host("p2-0", pool="p2"), host("p2-1", pool="p2")]
    vms = [vm("a", status=placed("p2-0", pool="p2")), vm("b", status=placed("p2-1", pool="p2"))]
    assert moves(packed(*base(), *other, *vms, vm("c", status=placed("p1-1")))) == []


def test_the_world_is_as_before() -> None:
    vms = [vm(name, status=placed(f"p1-{number}")) for number, name in enumerate("abc")]
    world = world_of(*base(), *vms)
    before = {row.name: world.ledger.claims_on(row.name) for row in world.ledger.table.rows}
    assert propose("p1", "pack", world, ENOUGH).moves
    assert {row.name: world.ledger.claims_on(row.name) for row in world.ledger.table.rows} == before


def test_cp_sat_finds_what_the_greedy_drain_does_not_pay_for() -> None:
    pytest.importorskip("ortools")
    vms = [vm(name, status=placed(f"p1-{number}")) for number, name in enumerate("abc")]
    world = world_of(*base(), *vms)
    greedy, improved = (propose("p1", "pack", world, ENOUGH, effort) for effort in (0.0, 1.0))
    assert improved.after.hosts_in_use <= greedy.after.hosts_in_use == 1
    assert len(improved.moves) <= len(greedy.moves)


# Who stays


GPUS = {"name": "small", "vcpus": 2, "memoryBytes": 4 * 2**30, "gpus": {"a100": 1}}


@pytest.mark.parametrize(
    ("lone", "others", "why"),
    [
        (vm("b", status=placed("p1-1", phase="Paused"), paused=True), (), "not Running"),
        (vm("b", status=placed("p1-1", phase="Starting")), (), "not Running"),
        (vm("b", status=placed("p1-1"), run_strategy="Halted"), (), "about to be stopped or paused"),
        (vm("b", status=placed("p1-1"), deleting=True), (), "about to be stopped or paused"),
        (vm("b", status=placed("p1-1"), eviction_strategy="None"), (), "with evictionStrategy None"),
        (vm("b", status=placed("p1-1") | {"flavor": GPUS}), (), "with GPUs, which cannot be moved live"),
        (vm("b", status=placed("p1-1")), (host("p1-1", fault={"type": "Crash"}),), "on a host that is not up"),
        (
            vm("b", status=placed("p1-1")),
            (host("p1-1", maintenance={"mode": "Drain"}),),
            "on a host that is being drained",
        ),
        (
            vm("b", status=placed("p1-1")),
            (migration("b-1", of="b"),),
            "being migrated, or in a plan that is not finished",
        ),
        (
            vm("b", status=placed("p1-1")),
            (plan(virtual_machines=[{"name": "b"}], paused=True),),
            "being migrated, or in a plan that is not finished",
        ),
    ],
)
@pytest.mark.parametrize("goal", ["pack", "balance"])
def test_vms_that_cannot_be_moved_live_stay_and_are_told(
    goal: Goal, lone: VirtualMachine, others: tuple[AnyResource, ...], why: str
) -> None:
    objects = {resource.key: resource for resource in (*base(2), lone, *others)}
    proposal = propose("p1", goal, world_of(*objects.values()), ENOUGH)
    assert moves(proposal) == []
    assert proposal.stays == {why: 1}


@pytest.mark.parametrize(
    "ended",
    [
        plan(virtual_machines=[{"name": "b"}], status={"phase": "Cancelled"}),
        plan(virtual_machines=[{"name": "b"}], mode="DryRun"),
        plan(
            virtual_machines=[{"name": "b"}, {"name": "x"}],
            status={
                "phase": "Migrating",
                "migrations": [{"virtualMachine": "b", "namespace": "default", "phase": "Succeeded"}],
            },
        ),
    ],
)
def test_a_plan_that_is_done_with_a_vm_holds_it_no_longer(ended: AnyResource) -> None:
    vms = [vm("a", status=placed("p1-0")), vm("a2", status=placed("p1-0")), vm("b", status=placed("p1-1"))]
    assert moves(packed(*base(), *vms, ended)) == [("b", "p1-1", "p1-0")]


def test_the_target_of_a_migration_counts_as_taken() -> None:
    going = migration("m", of="m", status=moving("p1-1", of="default-m", phase="PreCopy"))
    vms = [vm("m", status=placed("p1-0", phase="Migrating")), vm("b", status=placed("p1-2"))]
    proposal = packed(*base(), *vms, going)
    assert proposal.before.hosts_in_use == 3
    assert [name for name, _, _ in moves(proposal)] == ["b"]


def test_where_a_plan_will_move_vms_to_is_not_emptied_meanwhile() -> None:
    waiting = plan(virtual_machines=[{"name": "b", "targetHostName": "p1-0"}], paused=True)
    vms = [vm("a", status=placed("p1-0")), vm("b", status=placed("p1-1"))]
    assert moves(packed(*base(), *vms, waiting)) == []


# What targets must be like


@pytest.mark.parametrize(
    ("fields", "spec"),
    [
        ({"unschedulable": True}, {}),
        ({"hardware": HARDWARE | {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}, {}),
        ({}, {"placement": {"nodeSelector": {"disk": "ssd"}}}),
        ({}, {"placement": {"nodePoolName": "p2"}}),
        ({"hardware": HARDWARE | {"memory": "7Gi"}}, {}),
    ],
)
def test_a_host_the_vm_may_not_be_placed_on_is_no_target(fields: dict[str, Any], spec: dict[str, Any]) -> None:
    """p1-0 runs what cannot move; b would join it."""
    keeps = vm("a", status=placed("p1-0"), eviction_strategy="None")
    objects = [pool(), flavor(), host("p1-0", **fields), host("p1-1"), keeps, vm("b", status=placed("p1-1"), **spec)]
    assert moves(packed(*objects)) == []


def test_a_cordoned_host_may_be_emptied() -> None:
    objects = [pool(), flavor(), host("p1-0"), host("p1-1", unschedulable=True)]
    objects += [vm("a", status=placed("p1-0")), vm("b", status=placed("p1-1")), vm("c", status=placed("p1-1"))]
    assert [target for _, _, target in moves(packed(*objects))] == ["p1-0", "p1-0"]


def test_a_host_where_room_is_being_made_for_another_vm_is_no_target() -> None:
    waits = {"decidedAt": "2026-11-02T09:00:00Z", "preempts": ["default/a"], "nominatedHostName": "p1-0"}
    keeps = vm("a", status=placed("p1-0"), eviction_strategy="None")
    waiting = vm("w", status={"phase": "Unschedulable", "placement": waits})
    assert moves(packed(*base(2), keeps, vm("b", status=placed("p1-1")), waiting)) == []


def test_a_vm_whose_copy_would_not_end_is_not_moved() -> None:
    busy = vm("b", status=placed("p1-1"), model={"hotSet": "3Gi", "dirtyRate": "10G"})
    keeps = vm("a", status=placed("p1-0"), eviction_strategy="None")
    assert moves(packed(*base(2), keeps, busy)) == []


def apart(by: str = "Host", **fields: Any) -> dict[str, Any]:
    return {"affinity": [beside("AntiAffinity", by, **fields)]}


def beside(type_: str, by: str = "Host", enforcement: str = "Required") -> dict[str, Any]:
    selector = {"matchLabels": {"app": "db"}}
    return {"type": type_, "enforcement": enforcement, "topologyKey": by, "labelSelector": selector}


DB: dict[str, Any] = {"labels": {"app": "db"}}
FIXED: dict[str, Any] = DB | {"eviction_strategy": "None"}


def test_a_target_that_anti_affinity_forbids_is_exchanged_for_another() -> None:
    """p1-0 is the best fit for db-1, as sizes go."""
    vms = [
        *(vm(f"db-0{name}", status=placed("p1-0"), placement=apart(), **FIXED) for name in ("", "x")),
        vm("y", status=placed("p1-1"), eviction_strategy="None"),
        vm("db-1", status=placed("p1-2"), placement=apart(), **DB),
    ]
    assert moves(packed(*base(), *vms)) == [("db-1", "p1-2", "p1-1")]


def test_a_host_that_cannot_be_emptied_keeps_all_its_vms() -> None:
    """Every other host has a db, more of them than are tried; e might leave, db would not follow."""
    dbs = [vm(f"db-{n}", status=placed(f"p1-{n}"), placement=apart(), **FIXED) for n in range(18)]
    vms = [vm("db", status=placed("p1-18"), placement=apart(), **DB), vm("e", status=placed("p1-18"))]
    vms += [vm("f", status=placed("p1-19"))]
    assert [name for name, _, _ in moves(packed(*base(20), *dbs, *vms))] == ["f"]


def test_nobody_leaves_a_vm_that_must_be_beside_it() -> None:
    """The web VM asks for a db beside it; db asks for nothing, and alone could be moved away."""
    together = {"affinity": [beside("Affinity")]}
    web = vm("web", status=placed("p1-0"), placement=together, eviction_strategy="None")
    vms = [web, vm("db", status=placed("p1-0"), **DB)]
    assert moves(balanced(*base(2), *vms)) == []
    alone = [vm("web", status=placed("p1-0"), eviction_strategy="None"), vms[1]]
    assert len(moves(balanced(*base(2), *alone))) == 1


def test_vms_that_belong_together_leave_together() -> None:
    """web needs a db beside it, and there is one on both hosts: it goes first."""
    together = {"affinity": [beside("Affinity")]}
    vms = [vm("db-0", status=placed("p1-0"), **FIXED), vm("x", status=placed("p1-0"))]
    vms += [vm("db-1", status=placed("p1-1", memory="8Gi"), **DB), vm("web", status=placed("p1-1"), placement=together)]
    assert moves(packed(*base(2), *vms)) == [("web", "p1-1", "p1-0"), ("db-1", "p1-1", "p1-0")]


def test_a_move_that_helps_only_after_one_that_was_refused_is_not_made() -> None:
    """db-1 would go to p1-0, the emptiest host, and only then would moving db-0 away from there help."""
    vms = [
        vm("db-0", status=placed("p1-0", **SIZES[0]), placement=apart(), **DB),
        vm("x", status=placed("p1-1", **SIZES[1])),
        vm("y", status=placed("p1-2", **SIZES[2]), eviction_strategy="None"),
        vm("db-1", status=placed("p1-2", **SIZES[2]), placement=apart(), **DB),
    ]
    assert moves(balanced(*base(), *vms, budget=2)) == [("db-1", "p1-2", "p1-1"), ("x", "p1-1", "p1-0")]


def test_no_vm_moves_twice() -> None:
    """After the refusal of db-1 the moves are sought anew, and d would do even better elsewhere."""
    vms = [
        vm("a", status=placed("p1-1", **SIZES[1]), eviction_strategy="None"),
        vm("db-1", status=placed("p1-2", **SIZES[0]), placement=apart(), **DB),
        vm("c", status=placed("p1-2", **SIZES[2])),
        vm("db-0", status=placed("p1-0", **SIZES[1]), placement=apart(), **FIXED),
        vm("d", status=placed("p1-2", **SIZES[0])),
    ]
    assert [name for name, _, _ in moves(balanced(*base(), *vms, budget=3))] == ["d", "db-1"]


def test_the_spread_of_others_holds() -> None:
    spread = {
        "topologySpread": [
            {
                "topologyKey": "Host",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": DB["labels"]},
            }
        ]
    }
    vms = [vm(f"db-{number}", status=placed(f"p1-{number}"), placement=spread, **DB) for number in range(3)]
    assert moves(packed(*base(), *vms)) == []


def test_a_placement_group_stays_apart() -> None:
    group = make("PlacementGroup", "g", {"policy": "AntiAffinity"})
    member = {"placement": {"placementGroupName": "g"}}
    vms = [vm(f"m-{number}", status=placed(f"p1-{number}"), **member) for number in range(2)]
    assert moves(packed(*base(), group, *vms)) == []


def test_failover_capacity_is_not_given_up() -> None:
    """The large VM of p1-0 needs what p1-1 has left; c would take it, and p1-2 is too small to help."""
    ssd = HARDWARE | {"labels": {"disk": "ssd"}}
    hosts = [host("p1-0"), host("p1-1", hardware=ssd), host("p1-2", hardware=ssd | {"memory": "16Gi"})]
    vms = [
        vm("a", status=placed("p1-0", memory="40Gi"), eviction_strategy="None"),
        vm("b", status=placed("p1-1", memory="15Gi"), eviction_strategy="None"),
        vm("c", status=placed("p1-2", memory="10Gi"), placement={"nodeSelector": {"disk": "ssd"}}),
    ]
    assert moves(packed(pool(), flavor(), *hosts, *vms)) == [("c", "p1-2", "p1-1")]
    admission = {"policy": "HostFailures", "hostFailuresToTolerate": 1}
    assert moves(packed(pool(admission_control=admission), flavor(), *hosts, *vms)) == []


# Plans


def test_plans_are_one_a_namespace_wait_for_approval_and_name_every_target() -> None:
    vms = [vm("a", status=placed("p1-0")), vm("a2", status=placed("p1-0")), vm("a3", status=placed("p1-0"))]
    vms += [vm("b", namespace="other", status=placed("p1-1")), vm("c", status=placed("p1-2"))]
    proposal = packed(*base(), *vms)
    made = plans(proposal)
    assert [(one.namespace, [dump(entry) for entry in one.spec.virtual_machines or ()]) for one in made] == [
        ("default", [{"name": "c", "targetHostName": "p1-0"}]),
        ("other", [{"name": "b", "targetHostName": "p1-0"}]),
    ]
    assert {(one.spec.mode, one.spec.approval) for one in made} == {("Execute", "Manual")}
    assert plans(proposal) == made
    assert plans(packed(*base(), *vms[:-1]))[0].name != made[0].name
    moved_and_back = vm("c", status=placed("p1-2"), resource_version="3")
    assert plans(packed(*base(), *vms[:-1], moved_and_back))[0].name != made[0].name


def test_a_plan_has_at_most_500_vms_and_a_name_a_label_can_hold() -> None:
    large = {"cpu": {"sockets": 2, "coresPerSocket": 64, "threadsPerCore": 2}, "memory": "4Ti"}
    name = "a" * 31 + "." + "b" * 20
    pools = [pool(name), *(host(f"h-{n}", pool=name, hardware=HARDWARE | large) for n in range(2)), flavor()]
    vms = [vm(f"v-{n}", status=placed("h-0", pool=name, vcpus=1, memory="1Gi", root_disk="1Gi")) for n in range(501)]
    vms += [vm(f"w-{n}", status=placed("h-1", pool=name, vcpus=1, memory="1Gi", root_disk="1Gi")) for n in range(502)]
    made = plans(propose(name, "pack", world_of(*pools, *vms), 10_000))
    assert [len(one.spec.virtual_machines or ()) for one in made] == [500, 1]
    assert len({one.name for one in made}) == 2
    assert all(len(one.name) <= 63 and ".-" not in one.name for one in made)


# Whatever the pool looks like


def after(vms: Iterable[VirtualMachine], proposal: Proposal) -> dict[str, str | None]:
    return {one.name: one.status.host_name for one in vms} | {name: target for name, _, target in moves(proposal)}


RULES: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"placement": apart(), **DB},
    {"placement": apart("FailureDomain"), **DB},
    {"placement": {"affinity": [beside("Affinity", "FailureDomain")]}},
    {"placement": {"nodeSelector": {"disk": "ssd"}}},
    {"placement": {"placementGroupName": "g"}},
    {"eviction_strategy": "None"},
    DB,
)


@st.composite
def clouds(draw: st.DrawFn) -> list[AnyResource]:
    """A pool whose VMs have been placed one after another by the same rules, with some hosts closed since."""
    count = draw(st.integers(2, 5))
    small = draw(st.sets(st.integers(0, count - 1)))
    hosts = [
        host(
            f"p1-{n}",
            failure_domain=f"z{n % 2}",
            hardware=HARDWARE | ({"memory": "32Gi"} if n in small else {"labels": {"disk": "ssd"}}),
        )
        for n in range(count)
    ]
    policy = draw(st.sampled_from(["AntiAffinity", "Affinity"]))
    cloud: list[AnyResource] = [pool(), flavor(), make("PlacementGroup", "g", {"policy": policy}), *hosts]
    world = world_of(*cloud)
    for number in range(draw(st.integers(0, 12))):
        asked, size = draw(st.sampled_from(RULES)), draw(st.sampled_from(SIZES))
        wanted = draw(st.sampled_from([one.name for one in hosts]))
        trial = vm(f"v{number}", status=placed(wanted, **size), **asked)
        assert trial.status.flavor is not None
        new = trial.model_copy(update={"status": trial.status.model_copy(update={"host_name": None})})
        world.observe(new)
        chosen = [wanted, *(one.name for one in hosts)]
        request = request_of(new, trial.status.flavor, world)
        there = next((h for h in chosen if _takes(world, request, h)), None)
        if there is None:
            world.gone(new.key, new.uid)
            continue
        put = new.model_copy(update={"status": trial.status.model_copy(update={"host_name": there})})
        world.observe(put.model_copy(update={"metadata": put.metadata.model_copy(update={"resource_version": "2"})}))
    for one in hosts:
        if draw(st.integers(0, 4)) == 0:
            world.observe(edited(one, spec={"unschedulable": True}))
    return [
        one for kind in ("NodePool", "Flavor", "PlacementGroup", "Host", "VirtualMachine") for one in _all(world, kind)
    ]


def _takes(world: World, request: Request, name: str) -> bool:
    only = replace(request, hosts=frozenset({name}), unreserved=True)
    return isinstance(decide(world.ledger, only), Placed)


def _all(world: World, kind: str) -> list[AnyResource]:
    return [one for key in world.keys(kind) if (one := world.find(key)) is not None]


@settings(max_examples=60)
@given(clouds(), st.sampled_from(["pack", "balance"]), st.integers(1, 12))
def test_no_proposal_is_worse_or_over_budget_and_every_move_holds_in_its_turn(
    cloud: list[AnyResource], goal: Goal, budget: int
) -> None:
    world = world_of(*cloud)
    before = broken(world)
    measured = measure(world)
    proposal = propose("p1", goal, world, budget)
    assert len(proposal.moves) <= budget
    assert len({move.vm.uid for move in proposal.moves}) == len(proposal.moves)
    for move in proposal.moves:
        known = world.get(VirtualMachine, move.vm.namespace, move.vm.name)
        assert known is not None
        assert known.status.flavor is not None
        assert known.status.host_name == move.source != move.target
        assert known.spec.eviction_strategy != "None"
        assert _takes(world, request_of(known, known.status.flavor, world), move.target), move
        world.observe(_moved(known, move.target))
    assert broken(world) <= before
    assert world.ledger.overcommitted() == []
    hosts, spread = measure(world)
    if goal == "pack":
        assert hosts < measured[0] if proposal.moves else hosts == measured[0]
    else:
        assert spread < measured[1] if proposal.moves else spread == measured[1]
    assert (proposal.before.hosts_in_use, proposal.after.hosts_in_use) == (measured[0], hosts)
    assert (proposal.before.variation, proposal.after.variation) == pytest.approx((measured[1], spread), abs=1e-6)


def _moved(known: VirtualMachine, target: str) -> VirtualMachine:
    version = str(int(known.metadata.resource_version) + 1)
    return known.model_copy(
        update={
            "metadata": known.metadata.model_copy(update={"resource_version": version}),
            "status": known.status.model_copy(update={"host_name": target}),
        }
    )


def measure(world: World) -> tuple[int, float]:
    """Counted from the VMs: hosts in use, and the coefficient of variation over open hosts."""
    used: dict[str, Counter[str]] = {}
    for one in world.all(VirtualMachine):
        assert one.status.flavor is not None
        sums = used.setdefault(str(one.status.host_name), Counter())
        sums["cpu"] += one.status.flavor.vcpus * 1000
        sums["memory"] += one.status.flavor.memory_bytes
    rows = [row for row in world.ledger.table.rows if row.blocked is None]
    loads = [_load(used.get(row.name, {}), row.allocatable.milli_cpu, row.allocatable.memory) for row in rows]
    return len(used), (pstdev(loads) / mean(loads) if loads and any(loads) else 0.0)


def _load(used: Mapping[str, int], milli_cpu: int, memory: int) -> float:
    return max(used.get("cpu", 0) / milli_cpu, used.get("memory", 0) / memory)


def broken(world: World) -> Counter[str]:
    """Required terms that do not hold, by VM, as the objects say: no code of placement is asked."""
    vms = list(world.all(VirtualMachine))
    zones = {row.name: row.failure_domain for row in world.ledger.table.rows}
    found: Counter[str] = Counter()
    for one in vms:
        others = [other for other in vms if other is not one]
        for term in one.spec.placement.affinity:
            by_zone = term.topology_key == "FailureDomain"
            near = [
                o for o in others if o.metadata.labels.get("app") == "db" and _near(one, o, zones if by_zone else {})
            ]
            if term.type == "AntiAffinity":
                found[one.name] += len(near)
            elif not near:
                found[one.name] += 1
        if one.spec.placement.placement_group_name:
            policy = next(iter(_all(world, "PlacementGroup"))).spec.policy
            fellows = [o for o in others if o.spec.placement.placement_group_name]
            together = sum(_near(one, fellow, {}) for fellow in fellows)
            found[f"group {one.name}"] += together if policy == "AntiAffinity" else len(fellows) - together
    return +found


def _near(one: VirtualMachine, other: VirtualMachine, zones: Mapping[str, str]) -> bool:
    here, there = str(one.status.host_name), str(other.status.host_name)
    return zones.get(here, here) == zones.get(there, there)
