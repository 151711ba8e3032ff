"""Two hosts, their VMs and both controllers in one World: what becomes of the VMs when something happens to p1-0."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from checked import check, writes_anything
from worlds import NOW, condition, edited, flavor, host, image, imported, later, placed, pool, taken, vm, world_of

from drover.api.host import Host
from drover.api.meta import AnyResource, dump
from drover.api.virtualmachine import VirtualMachine
from drover.control import host as hosts
from drover.control.driver import Command, answer
from drover.control.outcome import Controller
from drover.control.virtualmachine import controller as vms
from drover.control.world import World

CONTROLLERS: dict[str, Controller] = {Host.KIND: hosts.CONTROLLER, VirtualMachine.KIND: vms.CONTROLLER}
CHARGED = {"seq": 1, "since": NOW.isoformat(), "phase": "Running", "flavor": "small", "vcpus": 2, "zone": None}
CHARGED |= {"memoryBytes": 4 * 2**30, "diskBytes": 20 * 2**30}
MOMENTS = [{"phase": "Starting", "at": later(-9).isoformat()}]


def guest(phase: str = "Running", **fields: Any) -> VirtualMachine:
    """A charged VM on p1-0 in a phase with a guest, as its controller leaves it."""
    began: dict[str, Any] = {"transitionStartedAt": later(-1).isoformat()} if phase in ("Starting", "Stopping") else {}
    booted: dict[str, Any] = {"lastStartTime": later(-8).isoformat()} if phase != "Starting" else {}
    paused = {"phase": "Paused", "vcpus": 0, "memoryBytes": 0} if phase == "Paused" else {}
    up = phase in ("Running", "Migrating")
    status = placed(
        phase=phase,
        bootAttempt=1,
        usage={"open": CHARGED | paused, "closed": {}},
        phaseTransitions=[*MOMENTS, {"phase": phase, "at": NOW.isoformat()}],
        conditions=[condition("Ready", "True" if up else "False", "Running" if up else phase)],
        **began,
        **booted,
    )
    return vm(status=status, paused=phase == "Paused", **fields)


class Losses:
    """The VM "a" on p1-0 beside an empty p1-1. Time passes in ``at``; every write is answered at once."""

    def __init__(self, subject: VirtualMachine | None = None, *, time_scale: str = "1", others: int = 1) -> None:
        self.world: World = world_of(
            pool(driver={"time_scale": time_scale}),
            *(host(f"p1-{number}") for number in range(others + 1)),
            flavor(),
            image(status=imported()),
            subject if subject is not None else guest(),
        )
        self.now = NOW
        self.told: list[str] = []
        self.writes: dict[str, int] = {}

    @property
    def vm(self) -> VirtualMachine:
        return cast(VirtualMachine, self.world.find(vm().key))

    @property
    def host(self) -> Host:
        return cast(Host, self.world.host("p1-0"))

    def edit(self, resource: AnyResource, **spec: Any) -> None:
        self.world.observe(edited(resource, spec=spec))

    def strike(self, fault: str, seconds: float) -> None:
        """A fault hits p1-0, or is lifted (``None``), or it is switched ``Off``; and all come to rest."""
        off = fault == "Off"
        self.edit(self.host, fault={"type": "None" if off else fault}, powerState="Off" if off else "On")
        self.at(seconds)

    def at(self, seconds: float) -> None:
        """Everything reconciled at an instant until nothing is written; work that is done by then has ended."""
        self.now = later(seconds)
        for _ in range(20):
            if not any(self._reconcile(resource) for resource in (self.host, self.vm)):
                return
        raise AssertionError("it does not come to rest")

    def work(self) -> frozenset[Command]:
        """What p1-0 has the driver do."""
        return CONTROLLERS[Host.KIND].reconcile(self.host, self.world, self.now).work

    def _reconcile(self, resource: AnyResource) -> bool:
        outcome = CONTROLLERS[resource.KIND].reconcile(resource, self.world, self.now)
        check(resource, outcome)
        if writes_anything(resource, outcome):
            self.told += [event.reason for event in outcome.events]
            self.writes[resource.name] = self.writes.get(resource.name, 0) + 1
            taken(self.world, resource, outcome)
            return True
        assert outcome.events == ()
        ended = [done for done in map(answer, outcome.work) if done.at <= self.now]
        new = [done for done in ended if self.world.completion(done.command) is None]
        for done in new:
            self.world.complete(done)
        return bool(new)


def ready_of(resource: AnyResource) -> tuple[str, str]:
    """(status, reason) of Ready."""
    ready = resource.status.condition("Ready")
    assert ready is not None
    return ready.status, ready.reason


def since(resource: AnyResource, type_: str) -> datetime:
    found = resource.status.condition(type_)
    assert found is not None
    return cast(datetime, found.last_transition_time)


def wire(resource: AnyResource, *names: str) -> dict[str, Any]:
    """Fields of the status in wire form."""
    status = dump(resource.status)
    return {name: status.get(name) for name in names}
