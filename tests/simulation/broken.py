"""Worlds in which a rule is broken on purpose: a check that cannot catch it would prove nothing."""

from __future__ import annotations

from collections.abc import Iterator

from drover.api.host import Host
from drover.api.meta import AnyResource, Condition, Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.world import World
from drover.control.world.claims import is_post_copy
from drover.control.world.queues import Queues, Route
from drover.sim.clock import START


class Credulous(World):
    """Takes every host that is down for fenced."""

    def confirmed(self, key: Key) -> AnyResource | None:
        found = super().confirmed(key)
        ready = found.status.condition("Ready") if isinstance(found, Host) else None
        if found is None or ready is None or ready.status == "True":
            return found
        fenced = Condition(type="Fenced", status="True", last_transition_time=START, reason="Fenced", message="")
        down = ready.model_copy(update={"status": "False"})
        return found.model_copy(update={"status": found.status.model_copy(update={"conditions": (down, fenced)})})


class Generous(World):
    """Takes every migration slot for free."""

    def __init__(self) -> None:
        super().__init__()
        self.queues = FreeOfCharge()


class FreeOfCharge(Queues):
    def routes(self) -> Iterator[Route]:
        return iter(())


class Oblivious(World):
    """Knows of no move whose guest runs on its target already."""

    def migration_of(self, vm: VirtualMachine) -> VirtualMachineMigration | None:
        found = super().migration_of(vm)
        return None if found is not None and is_post_copy(found) else found
