"""Moves tried one after another on the ledger itself, each with all that its VM asks of a host."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine
from drover.control.policies import Chosen, policy_of
from drover.control.virtualmachinemigration.inputs import move_of
from drover.control.world import World
from drover.control.world.claims import looks_beside
from drover.control.world.requests import request_of
from drover.model import migration as model
from drover.model.placement import Ledger, Request, pick
from drover.model.placement.beside import effects
from drover.model.placement.whatif import Trial


@dataclass(frozen=True, slots=True)
class TriedMove:
    """One live migration that holds when its turn comes."""

    vm: VirtualMachine
    source: str
    target: str
    transfer_bytes: int
    """What it should send (median)."""


class Moves:
    """The moves of a trial so far. A move that would break a rule is refused and leaves no trace.

    Rules are the VM's own, and the required terms of VMs that counted on it where it was.
    """

    def __init__(self, attempt: Trial, pool: str, world: World) -> None:
        self.ledger = attempt.ledger
        self.made: list[TriedMove] = []
        self._attempt = attempt
        self._pool = pool
        self._world = world
        self._vms = {vm.uid: vm for vm in world.all(VirtualMachine) if vm.status.host_name and vm.status.flavor}
        self._host = {uid: str(vm.status.host_name) for uid, vm in self._vms.items()}
        self._requests: dict[str, Request] = {}
        self._watchers = self._by_mark()
        self._estimates: dict[tuple[model.Memory, model.StopPolicy, model.Link], model.Played] = {}

    def expect(self, targets: Mapping[Key, str | None]) -> None:
        """Charges VMs that others move on the hosts these move them to, as far as known and where they fit, too."""
        for uid, vm in self._vms.items():
            target = targets.get(vm.key)
            if target is None or uid in self.ledger.claims_on(target):
                continue
            request = replace(self.request(uid), pool=None, hosts=frozenset({target}))
            if pick(self.ledger, request) is not None:
                self._attempt.claim(uid, request, target)

    def make(self, uid: str, target: str) -> bool:
        """Moves a VM, unless it does not fit there, its copy would not end, or another's required term breaks."""
        source, request = self._host[uid], self.request(uid)
        estimate = self._estimate(uid, source, target)
        if estimate.verdict != "Converges" or pick(self.ledger, replace(request, hosts=frozenset({target}))) is None:
            return False
        watchers = {watcher for mark in request.marks for watcher in self._watchers.get(mark, ())} - {uid}
        before = {watcher: self._unmet(watcher) for watcher in watchers}
        start = self._attempt.changes
        self._attempt.claim(uid, request, target)
        self._attempt.withdraw(uid, source)
        if any(self._unmet(watcher) - unmet for watcher, unmet in before.items()):
            self._attempt.undo(start)
            return False
        self._host[uid] = target
        self.made.append(TriedMove(self._vms[uid], source, target, round(estimate.bytes)))
        return True

    def undo(self, start: int = 0) -> None:
        """Takes back all moves but the first ``start``. Each is two changes of the trial."""
        self._attempt.undo(self._attempt.changes - 2 * (len(self.made) - start))
        while len(self.made) > start:
            move = self.made.pop()
            self._host[move.vm.uid] = move.source

    def has_moved(self, uid: str) -> bool:
        return self._host[uid] != self._vms[uid].status.host_name

    def request(self, uid: str) -> Request:
        """The VM's request where it is now, to move within the pool."""
        if uid not in self._requests:
            vm = self._vms[uid]
            assert vm.status.flavor is not None
            own = request_of(vm, vm.status.flavor, self._world)
            self._requests[uid] = replace(own, pool=own.pool or self._pool, unreserved=True)
        return replace(self._requests[uid], leaves=self._host[uid])

    def residents(self, host: str) -> Mapping[str, Request]:
        """The VMs to be restarted elsewhere if a host failed now, by uid, as ``whatif.tolerated`` asks."""
        here = (uid for uid in self.ledger.claims_on(host) if self._host.get(uid) == host)
        restarted = (uid for uid in here if self._vms[uid].spec.high_availability.enabled)
        return {uid: replace(self.request(uid), leaves=None) for uid in restarted}

    def _by_mark(self) -> dict[Hashable, list[str]]:
        """The VMs with terms by the marks these name: whom the move of another may concern."""
        watchers: dict[Hashable, list[str]] = defaultdict(list)
        for uid, vm in self._vms.items():
            for mark in {term.mark for term in self.request(uid).terms} if looks_beside(vm) else ():
                watchers[mark].append(uid)
        return watchers

    def _unmet(self, uid: str) -> Counter[str]:
        return unmet(self.ledger, self.request(uid))

    def _estimate(self, uid: str, source: str, target: str) -> model.Played:
        """The move alone on its link, as it will most likely go."""
        there, here = self._world.host(source), self._world.host(target)
        assert there is not None
        assert here is not None
        chosen = policy_of(self._vms[uid], self._world)
        assert isinstance(chosen, Chosen), "no policy was named that might not exist"
        move = move_of(self._vms[uid], there, here, chosen.settings, self._world)
        key = move.memory, move.policy, move.route.alone
        if key not in self._estimates:
            self._estimates[key] = model.forecast([replace(move, dirty_noise=0.0)], {}).moves[0]
        return self._estimates[key]


def unmet(ledger: Ledger, request: Request) -> Counter[str]:
    """The required terms that do not hold for a placed request on the host it is on (``leaves``), as they are told."""
    row = ledger.row(request.leaves or "")
    found: Counter[str] = Counter()
    for effect in effects(ledger, request) if row is not None else ():
        domain = row.domain(effect.topology) if row is not None else ""
        if domain in effect.barred or (effect.only is not None and domain not in effect.only):
            found[effect.told] += 1
    return found
