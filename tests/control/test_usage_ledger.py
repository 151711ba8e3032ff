"""The ledger: whatever has been observed, and in whatever order, its totals are those of a ledger built anew."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from metering import GIB, MONTH, entry, open_network, open_vm, open_volume, record, wire
from worlds import NOW, edited, later, vm, world_of

from drover.api.meta import AnyResource, Key
from drover.control.metering.ledger import KINDS, UsageLedger
from drover.control.metering.pending import sums_of
from drover.control.world import World
from drover.model.usage import Line

VCPU, INSTANCE = Line("vcpu", "small", "Running"), Line("instance", "small", "Running")
MEMORY, ROOT = Line("memory", "small", "Running"), Line("volume", "root", "Running")
UID = "virtualmachine-default-a"


def totals(world: World, seconds: float = 100) -> dict[Line, int]:
    found = {line: amount for space, line, amount in world.usage.totals(later(seconds)) if space == "default"}
    return {line: amount for line, amount in found.items() if amount}


def by_line(world: World, seconds: float = 100) -> dict[Line, int]:
    """The same from the sums by day."""
    sums = Counter[Line]()
    for (_, line), amount in world.usage.daily(later(seconds)).get("default", Counter()).items():
        sums[line] += amount
    return dict(+sums)


def version(resource: Any, number: int) -> Any:
    return edited(resource, resourceVersion=str(number))


def test_totals_are_records_and_what_waits_and_what_runs() -> None:
    recorded = record(Counter({(NOW.date(), VCPU): 7}))
    world = world_of(recorded, open_vm("a", entry(1)), open_volume(), open_network(since=later(40)))
    assert totals(world) == {
        VCPU: 7 + 20_000 + 2 * 100_000,
        INSTANCE: 10_000 + 100_000,
        MEMORY: 4 * GIB * 100_000,
        ROOT: 20 * GIB * 100_000,
        Line("volume", "standard", "Provisioned"): 10 * GIB * 100_000,
        Line("address", "", "Allocated"): 3 * 60_000,
    }


def test_a_total_stays_the_same_while_an_interval_moves_into_its_record() -> None:
    sums = sums_of(entry(1))
    world, seen = world_of(record(), open_vm("a", entry(1))), []
    steps = [
        version(record(sums, settled={UID: 1}), 2),
        version(open_vm("a"), 2),
        version(record(sums), 3),
    ]
    for step in [None, *steps]:
        if step is not None:
            world.observe(step)
        seen.append(totals(world))
    assert seen == [seen[0]] * 4


def test_a_total_stays_the_same_while_an_estate_takes_over() -> None:
    five = Counter({(NOW.date(), VCPU): 5})
    heir: dict[str, Any] = {"of": "default", "namespace": "drover-system"}
    going = record(five, deleting=True)
    world, seen = world_of(going, record(**heir), open_vm()), []
    for step in (None, version(record(five, settled={going.uid: 1}, **heir), 2), going):
        if step is going:
            world.gone(going.key, going.uid)
        elif step is not None:
            world.observe(step)
        seen.append(totals(world))
    assert seen == [seen[0]] * 3


def test_only_what_is_confirmed_counts() -> None:
    world = world_of(open_vm())
    world.assume(vm("a", status={"phase": "Stopped"}))
    assert totals(world)[INSTANCE] == 100_000


def test_a_namespace_is_known_with_nothing_before_its_first_vm_has_run() -> None:
    found = {(space, line): amount for space, line, amount in world_of(vm()).usage.totals(NOW)}
    assert found == {("default", Line(meter, "small", "Running")): 0 for meter in ("vcpu", "memory", "instance")}


def test_a_counter_never_falls_though_an_interval_ended_earlier_than_was_known() -> None:
    world = world_of(open_vm())

    def told(seconds: float) -> int:
        return {line: n for _, line, n in world.usage.counters(later(seconds))}[INSTANCE]

    assert told(50) == 50_000
    world.observe(version(vm(status={"usage": {"pending": wire(entry(1, since=NOW, seconds=30))}}), 2))
    assert [told(60), told(70)] == [50_000, 50_000]
    world.observe(version(open_vm("a", entry(1, since=NOW, seconds=30), since=later(60)), 3))
    assert [told(70), told(90)] == [50_000, 60_000]


def test_the_watermark_is_the_end_of_the_oldest_interval_that_no_record_has() -> None:
    world = world_of(record(), open_vm("a", entry(1), entry(2)))
    assert world.usage.watermark(later(100)) == entry(1).until
    world.observe(version(record(settled={UID: 1}), 2))
    assert world.usage.watermark(later(100)) == entry(2).until
    world.observe(version(record(settled={UID: 2}), 3))
    assert (world.usage.watermark(later(100)), world.usage.records) == (later(100), 1)


# The audit

STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["end", "settle", "drop", "go", "drain"])), max_size=25
)


class Course:
    """Two VMs and a record, each step one write as the API server would tell it."""

    def __init__(self) -> None:
        self.world = World()
        self.seq = {"a": 0, "b": 0}
        self.pending: dict[str, tuple[Any, ...]] = {"a": (), "b": ()}
        self.sums: Counter[Any] = Counter()
        self.settled: dict[str, int] = {}
        self.version = 0

    def do(self, name: str, verb: str) -> None:
        self.version += 1
        uid = f"virtualmachine-default-{name}"
        match verb:
            case "end":
                self.seq[name] += 1
                self.pending[name] = (*self.pending[name], entry(self.seq[name]))[-6:]
            case "settle":
                for one in self.pending[name]:
                    if one.seq > self.settled.get(uid, 0):
                        self.sums += sums_of(one)
                        self.settled[uid] = one.seq
            case "drop":
                self.pending[name] = tuple(p for p in self.pending[name] if p.seq > self.settled.get(uid, 0))
            case "go":
                self.world.gone(Key("VirtualMachine", "default", name), "")
                return
            case "drain":
                self.world.gone(Key("UsageRecord", "default", MONTH), "")
                return
        told: AnyResource = (
            record(self.sums, settled=self.settled) if verb == "settle" else open_vm(name, *self.pending[name])
        )
        self.world.observe(edited(told, resourceVersion=str(self.version)))


@given(STEPS)
def test_totals_are_those_of_a_ledger_built_anew(steps: list[tuple[str, str]]) -> None:
    course = Course()
    for name, verb in steps:
        course.do(name, verb)
    anew = World()
    for kind in ("UsageRecord", "VirtualMachine"):
        for key in course.world.keys(kind):
            confirmed = course.world.confirmed(key)
            assert confirmed is not None
            anew.observe(confirmed)
    assert totals(course.world) == totals(anew) == by_line(course.world)
    for _ in range(3):
        course.world.usage.audit(course.world.confirmed)
    assert course.world.usage.discrepancies == dict.fromkeys(KINDS, 0)


def test_the_audit_finds_an_object_that_the_ledger_missed_a_change_of() -> None:
    ledger, missed = UsageLedger(), open_vm("a", entry(1), entry(2))
    ledger.take(missed.key, open_vm("a", entry(1)))
    audited(ledger, missed)
    assert ledger.discrepancies == {"object": 1, "totals": 0}


def test_the_audit_finds_a_total_that_is_not_the_sum_of_its_shares() -> None:
    class Leaking(UsageLedger):
        """Forgets what an object that is gone has added."""

        def _forget(self, namespace: str, uid: str) -> None:
            self._shares[namespace].pop(uid)
            super()._forget(namespace, uid)

    ledger, other = Leaking(), open_vm("b")
    for resource in (open_vm("a"), other):
        ledger.take(resource.key, resource)
    ledger.take(open_vm("a").key, None)
    audited(ledger, other)
    assert ledger.discrepancies == {"object": 0, "totals": 4}


def audited(ledger: UsageLedger, *resources: AnyResource) -> None:
    """A whole round."""
    known = {resource.key: resource for resource in resources}
    for _ in range(2):
        ledger.audit(known.get)
