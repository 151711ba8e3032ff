"""What goes wrong with the operator, its watches and lease, and with hosts. Drawn from the simulation's seed.

Latency, lost requests and lost responses belong to the path of each request (`drover.sim.network`); the faults
here strike on their own. Each is a function of the simulation; a table gives its weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from drover.api.host import Host
from drover.api.kinds import WATCHED
from drover.api.meta import Key
from drover.api.nodepool import NodePool
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.ports import Refused, Write, Written
from drover.sim.requests import patch
from drover.sim.shell import Shell
from drover.sim.simulation import Simulation

Fault = Callable[[Simulation], None]
MAX_HOSTS_DOWN = 2
"""Host faults beyond this many at a time recover one instead, or nothing could be placed any more."""


def crash_operator(sim: Simulation) -> None:
    """SIGKILL; a new process starts some seconds later."""
    number = sim.random.randrange(len(sim.shells))
    if sim.shells[number].alive:
        sim.crash(number, sim.random.uniform(0.5, 20.0))


def crash_leader_in_mid_write(sim: Simulation) -> None:
    """SIGKILL just when a write has been decided and not answered."""
    for number, shell in enumerate(sim.shells):
        if shell.alive and shell.unanswered:
            sim.crash(number, sim.random.uniform(0.5, 20.0))
            return


def cut_off_leader(sim: Simulation) -> None:
    """The leader cannot renew for a while: it goes stale, with writes still on their way when another leads."""
    for shell in sim.shells:
        if shell.leading:
            shell.partitioned_until = sim.now + timedelta(seconds=sim.random.uniform(8.0, 40.0))


def drop_watch(sim: Simulation) -> None:
    """A watch breaks off and is opened again later, where it left off."""
    shell, kind = _watch(sim)
    shell.disconnect(kind, sim.random.uniform(0.1, 15.0))


def drop_watch_and_history(sim: Simulation) -> None:
    """A watch breaks off and what it misses is compacted away: it must list anew and find out what is gone."""
    shell, kind = _watch(sim)
    seconds = sim.random.uniform(0.1, 15.0)
    sim.timeline.after(seconds * 0.99, f"compaction of {kind}", lambda: sim.store.compact(kind))
    shell.disconnect(kind, seconds)


def crash_host(sim: Simulation) -> None:
    _break_host(sim, {"fault": {"type": "Crash"}})


def cut_host_off(sim: Simulation) -> None:
    """Its guests run on where nobody sees them, until it is fenced or back."""
    _break_host(sim, {"fault": {"type": "NetworkPartition"}})


def power_host_off(sim: Simulation) -> None:
    _break_host(sim, {"powerState": "Off"})


def recover_host(sim: Simulation) -> None:
    down = [host for host in _hosts(sim) if _down(host)]
    if down:
        mend = {"fault": {"type": "None"}, "powerState": "On"}
        patch(sim, sim.random.choice(down), {"spec": mend})


OPERATOR_FAULTS: tuple[tuple[float, Fault], ...] = (
    (2, crash_operator),
    (2, crash_leader_in_mid_write),
    (3, cut_off_leader),
    (3, drop_watch),
    (3, drop_watch_and_history),
)
HOST_FAULTS: tuple[tuple[float, Fault], ...] = (
    (2, crash_host),
    (2, cut_host_off),
    (1, power_host_off),
    (4, recover_host),
)


class Strikes:
    """Lets one of a table's functions act every now and then (a Poisson process), until stopped."""

    def __init__(self, sim: Simulation, table: Sequence[tuple[float, Fault]], mean_seconds: float) -> None:
        self._sim = sim
        self._weights = [weight for weight, _ in table]
        self._acts = [act for _, act in table]
        self._mean = mean_seconds
        self._stopped = False
        self._schedule()

    def stop(self) -> None:
        self._stopped = True

    def _schedule(self) -> None:
        act = self._sim.random.choices(self._acts, self._weights)[0]
        wait = self._sim.random.expovariate(1 / self._mean)
        self._sim.timeline.after(wait, act.__name__.replace("_", " "), lambda: self._strike(act))

    def _strike(self, act: Fault) -> None:
        if not self._stopped:
            act(self._sim)
            self._schedule()


class Ambush:
    """A host fails that a guest in post-copy needs, soon after it began to: mostly, until stopped."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._told = sim.backend.on_write
        self._stopped = False
        sim.backend.on_write = self._wrote

    def stop(self) -> None:
        self._stopped = True

    def _wrote(self, write: Write, answer: Written | Refused, changed: bool) -> None:
        self._told(write, answer, changed)
        random, move = self._sim.random, answer.resource if isinstance(answer, Written) else None
        status = write.body.get("status", {})
        if isinstance(move, VirtualMachineMigration) and status.get("phase") == "PostCopy" and random.random() < 0.7:
            name = random.choice((move.status.source_host, move.status.target_host))
            self._sim.timeline.after(random.uniform(0.0, 0.2), f"ambush on {name}", lambda: self._break(str(name)))

    def _break(self, name: str) -> None:
        fault = self._sim.random.choice(("Crash", "NetworkPartition"))
        if not self._stopped:
            patch(self._sim, self._sim.store.get(Key(Host.KIND, "", name)), {"spec": {"fault": {"type": fault}}})


def mend_everything(sim: Simulation) -> None:
    """Bring every host back into service, and let no pool shrink: a drain without room is tried for ever."""
    mend = {
        "fault": {"type": "None"},
        "powerState": "On",
        "unschedulable": False,
        "maintenance": {"mode": "None"},
    }
    hosts = _hosts(sim)
    for host in hosts:
        patch(sim, host, {"spec": mend})
    for pool in sim.store.objects(NodePool.KIND):
        patch(sim, pool, {"spec": {"replicas": sum(host.spec.pool_ref.name == pool.name for host in hosts)}})


def _watch(sim: Simulation) -> tuple[Shell, str]:
    return sim.random.choice(sim.shells), sim.random.choice(list(WATCHED))


def _hosts(sim: Simulation) -> list[Host]:
    return [host for host in sim.store.objects(Host.KIND) if isinstance(host, Host) and not host.deleting]


def _down(host: Host) -> bool:
    return host.spec.fault.type != "None" or host.spec.power_state == "Off"


def _break_host(sim: Simulation, spec: dict[str, Any]) -> None:
    hosts = _hosts(sim)
    up = [host for host in hosts if not _down(host)]
    if len(hosts) - len(up) >= MAX_HOSTS_DOWN:
        recover_host(sim)
    elif up:
        patch(sim, sim.random.choice(up), {"spec": spec})
