"""The engine: inputs in, decisions out, one write in flight an object.

::

    standby --Elected--> fencing --every fence answered--> leading --Deposed--> standby

A standby is warm: it takes every observation and decides nothing. A new leader first *fences*: claims sit on different
objects, so optimistic concurrency on one VM does not protect a host. It writes its epoch to every object that may
still gain a claim; whatever an earlier leader has in flight for them was decided on an older resourceVersion and meets
a conflict. Only then does it decide.
"""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from drover.api.meta import API_VERSION, FINALIZER, AnyResource, Key, dump
from drover.control.driver import Command, Completion
from drover.control.engine import fencing
from drover.control.engine.events import EventLog
from drover.control.engine.patch import merge_patch
from drover.control.engine.queue import Queue, Watcher
from drover.control.outcome import Child, Controller, Create, Event, Outcome, PatchSpec, Urgency, Watch
from drover.control.ports import (
    Deposed,
    Elected,
    Failure,
    Gone,
    Input,
    Listed,
    Observed,
    Outputs,
    Refused,
    Verb,
    Write,
    Written,
)
from drover.control.world import World

STEP_BUDGET = 32
"""Reconciles in one step, so that a shell's event loop gets its turn: some 50 ms, for a Lease is renewed in several."""
NOT_FOUND = 404
CONFLICT = 409
NAMESPACE_IS_GOING = "because it is being terminated"
"""What the API server says of a creation in a namespace that is deleted: nothing is wrong, it goes on elsewhere."""
KIND_IS_GOING = "custom resource definition is terminating"
"""What it says of a creation while the kind's CRD is being deleted."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A write that has not been answered: who decided it, and what to tell once it is done."""

    write: Write
    subject: AnyResource
    events: tuple[Event, ...] = ()


class Engine:
    """Runs controllers over a World. Give it inputs and the time; perform what it returns."""

    def __init__(
        self, controllers: Iterable[Controller], world: World, *, fenced: bool = True, watcher: Watcher | None = None
    ) -> None:
        self.world = world
        self.state: Literal["standby", "fencing", "leading"] = "standby"
        self.epoch = 0
        self._fenced = fenced
        self._controllers = {controller.kind: controller for controller in controllers}
        self._watches: dict[str, list[Watch]] = defaultdict(list)
        for controller in self._controllers.values():
            for watch in controller.watches:
                self._watches[watch.kind].append(watch)
        self._urgencies = {kind: given.urgency for kind, given in self._controllers.items() if given.urgency}
        self._watcher = watcher
        self._queue = Queue(self._urgency, watcher)
        self._in_flight: dict[Key, InFlight] = {}
        self._flights: dict[int, Key] = {}
        self._waiting: dict[Key, set[Key]] = defaultdict(set)
        self._work: dict[Key, frozenset[Command]] = {}
        self._owner: dict[Command, Key] = {}
        self._events = EventLog()
        self._last_id = 0
        self._now = datetime.min.replace(tzinfo=UTC)
        self.reconciles = 0
        world.subscribe(self._on_change)

    @property
    def queue_depth(self) -> int:
        return len(self._queue)

    def step(self, inputs: Iterable[Input], now: datetime) -> Outputs:
        """Take the inputs, decide what has become due, and say what to perform.

        ``now`` never goes back; the shell sees to it.
        """
        self._now = now
        out = Outputs()
        for item in inputs:
            self._absorb(item, out)
        if self.state == "fencing":
            self._refence_due(out)
        if self.state == "leading":
            self._reconcile_due(out)
        if self.state != "standby":
            out.wake_at = self._queue.next_due(now)
        return out

    # Inputs

    def _absorb(self, item: Input, out: Outputs) -> None:
        match item:
            case Observed(resource):
                self.world.observe(resource)
            case Gone(key, uid):
                self._forget(key, uid, out)
            case Listed():
                self._audit_ghosts(item, out)
            case Written(write_id, resource):
                self._written(write_id, resource, out)
            case Refused():
                self._refused(item, out)
            case Completion(command):
                if command in self._owner:
                    self.world.complete(item)
                    self._queue.add(self._owner[command])
            case Elected(epoch):
                self._elected(epoch, out)
            case Deposed():
                self._stand_by(out)

    def _forget(self, key: Key, uid: str, out: Outputs) -> None:
        if self.world.gone(key, uid):
            self._queue.forget(key)
            self._want(key, frozenset(), out)

    def _audit_ghosts(self, listed: Listed, out: Outputs) -> None:
        for ghost in self.world.unlisted(listed.kind, listed.uids, listed.resource_version):
            self._forget(ghost.key, ghost.uid, out)

    def _written(self, write_id: int, resource: AnyResource | None, out: Outputs) -> None:
        flight = self._land(write_id)
        if flight is None:
            return
        key = flight.write.key
        if resource is not None:
            self.world.observe(resource)
        self.world.settle(key)
        if resource is not None and resource.deleting and not resource.metadata.finalizers:
            self._forget(key, resource.uid, out)
        self._tell(flight.events, flight.subject, out)
        self._answered(flight, out)
        self._queue.succeeded(flight.subject.key)

    def _refused(self, refused: Refused, out: Outputs) -> None:
        flight = self._land(refused.write_id)
        if flight is None:
            return
        write = flight.write
        if refused.current is not None:
            self.world.observe(refused.current)
        self.world.settle(write.key)
        if refused.code == NOT_FOUND and write.verb != "create":
            self._forget(write.key, write.uid, out)
        elif KIND_IS_GOING in refused.message:
            self.world.closed_kinds.add(write.key.kind)
        elif refused.code not in (NOT_FOUND, CONFLICT) and NAMESPACE_IS_GOING not in refused.message:
            out.failures.append(Failure(write.key, f"{write.verb} refused with {refused.code}: {refused.message}"))
        if self.state == "fencing" and self.world.find(write.key) is not None:
            self._queue.retry(write.key, self._now)
            return
        self._answered(flight, out)
        if flight.subject.key != write.key or refused.code != NOT_FOUND:
            self._queue.retry(flight.subject.key, self._now)

    def _land(self, write_id: int) -> InFlight | None:
        """The flight a response belongs to; None where the leader that sent it is no more."""
        key = self._flights.pop(write_id, None)
        return self._in_flight.pop(key) if key is not None else None

    def _answered(self, flight: InFlight, out: Outputs) -> None:
        key = flight.write.key
        if self.state == "fencing":
            self._lead_if_fenced(out)
            return
        self._queue.add(key)
        for waiting in self._waiting.pop(key, ()):
            self._queue.add(waiting)

    # Leadership

    def _elected(self, epoch: int, out: Outputs) -> None:
        # A Lease that was deleted counts from 1 again; a fence that writes what is there already fences nothing.
        self.epoch = max(epoch, 1 + fencing.highest_epoch(self.world))
        self.state = "fencing"
        if self._fenced:
            for resource in fencing.may_gain_a_claim(self.world, self._now):
                self._fence(resource, out)
        self._lead_if_fenced(out)

    def _refence_due(self, out: Outputs) -> None:
        """Try refused fences again, with back-off: without them there is no leading."""
        while (key := self._queue.pop(self._now)) is not None:
            resource = self.world.find(key)
            if resource is not None:
                self._fence(resource, out)
        self._lead_if_fenced(out)

    def _lead_if_fenced(self, out: Outputs) -> None:
        if not self._in_flight and not len(self._queue) and not self._queue.waiting:
            self._lead(out)

    def _fence(self, resource: AnyResource, out: Outputs) -> None:
        self._send(out, "status", resource, {"status": {"leaderEpoch": self.epoch}}, any_version=True)

    def _lead(self, out: Outputs) -> None:
        self.state = "leading"
        out.failures += [Failure(None, violation) for violation in self.world.books.violations()]
        for kind in self._controllers:
            for key in self.world.keys(kind):
                self._queue.add(key)

    def _stand_by(self, out: Outputs) -> None:
        self.state = "standby"
        for key in list(self._in_flight):
            self.world.settle(key)
        for key in list(self._work):
            self._want(key, frozenset(), out)
        out.writes.clear()
        self._in_flight.clear()
        self._flights.clear()
        self._waiting.clear()
        self._queue = Queue(self._urgency, self._watcher)

    # Decisions

    def _on_change(self, before: AnyResource | None, after: AnyResource | None) -> None:
        if self.state != "leading":
            return
        changed = after if after is not None else before
        if changed is None:
            return
        if after is not None and changed.KIND in self._controllers:
            self._queue.add(after.key)
        for watch in self._watches.get(changed.KIND, ()):
            for key in watch.affected(before, after, self.world):
                if watch.after:
                    self._queue.add_at(key, self._now + timedelta(seconds=watch.after))
                else:
                    self._queue.add(key)

    def _urgency(self, key: Key) -> Urgency:
        urgency = self._urgencies.get(key.kind)
        resource = self.world.find(key) if urgency is not None else None
        return urgency(resource, self.world) if urgency is not None and resource is not None else ()

    def _reconcile_due(self, out: Outputs) -> None:
        for _ in range(STEP_BUDGET):
            key = self._queue.pop(self._now)
            if key is None:
                return
            resource = self.world.find(key)
            # Answered writes put their object back into the queue, so nothing is missed here.
            if resource is not None and key not in self._in_flight:
                self._reconcile(resource, out)

    def _reconcile(self, resource: AnyResource, out: Outputs) -> None:
        self.reconciles += 1
        try:
            outcome = self._controllers[resource.KIND].reconcile(resource, self.world, self._now)
        except Exception as error:  # one broken object must not stop the others
            trace = "".join(traceback.format_exception(error))
            out.failures.append(Failure(resource.key, trace))
            self._queue.retry(resource.key, self._now)
            return
        self._take(resource, outcome, out)

    def _take(self, resource: AnyResource, outcome: Outcome, out: Outputs) -> None:
        sent = self._last_id
        self._want(resource.key, outcome.work, out)
        if outcome.requeue_at is not None:
            self._queue.add_at(resource.key, outcome.requeue_at)
        wrote = self._write_own(resource, outcome, out)
        for child in outcome.children:
            self._write_child(resource, child, out)
        if not wrote:
            self._tell(outcome.events, resource, out)
        if self._last_id == sent:
            self._queue.succeeded(resource.key)

    def _write_own(self, resource: AnyResource, outcome: Outcome, out: Outputs) -> bool:
        """At most one PATCH of the object itself: metadata before a claim, the status before it is let go."""
        protected = FINALIZER in resource.metadata.finalizers
        if outcome.protect and not protected:
            self._write_finalizers(resource, (*resource.metadata.finalizers, FINALIZER), out)
            return True
        if outcome.disown and resource.metadata.owner_references:
            self._send(out, "metadata", resource, {"metadata": {"ownerReferences": []}})
            return True
        if outcome.status is not None:
            patch = merge_patch(dump(resource.status), dump(outcome.status))
            if patch:
                # Zeros that were never written go along, so that a column shows 0; alone they are no reason to write.
                patch = merge_patch(dump(resource.status, unset=False), dump(outcome.status))
                self._send(out, "status", resource, {"status": patch}, events=outcome.events)
                self.world.assume(resource.model_copy(update={"status": outcome.status}))
                return True
        if outcome.protect is False and protected:
            kept = tuple(name for name in resource.metadata.finalizers if name != FINALIZER)
            self._write_finalizers(resource, kept, out, outcome.events)
            return True
        return False

    def _write_finalizers(
        self, resource: AnyResource, names: tuple[str, ...], out: Outputs, events: tuple[Event, ...] = ()
    ) -> None:
        self._send(out, "metadata", resource, {"metadata": {"finalizers": list(names)}}, events=events)

    def _write_child(self, owner: AnyResource, child: Child, out: Outputs) -> None:
        key = child.resource.key
        if key in self._in_flight:
            self._waiting[key].add(owner.key)
        elif isinstance(child, Create):
            if self.world.find(key) is None:
                self._send(out, "create", child.resource, manifest(child.resource), subject=owner)
        elif isinstance(child, PatchSpec):
            self._send(out, "spec", child.resource, {"spec": child.spec}, subject=owner)
        elif not child.resource.deleting:
            self._send(out, "delete", child.resource, {}, subject=owner)

    def _send(
        self,
        out: Outputs,
        verb: Verb,
        target: AnyResource,
        body: dict[str, Any],
        *,
        subject: AnyResource | None = None,
        events: tuple[Event, ...] = (),
        any_version: bool = False,
    ) -> None:
        self._last_id += 1
        version = None if any_version or verb == "create" else target.metadata.resource_version
        write = Write(self._last_id, verb, target.key, body, version, target.uid)
        self._in_flight[target.key] = InFlight(write, subject if subject is not None else target, events)
        self._flights[write.id] = target.key
        out.writes.append(write)

    def _want(self, key: Key, wanted: frozenset[Command], out: Outputs) -> None:
        """Make the driver's work for one object what the object wants."""
        current = self._work.get(key, frozenset())
        for command in wanted - current:
            self._owner[command] = key
            out.submit.append(command)
        for command in current - wanted:
            del self._owner[command]
            self.world.drop_completion(command)
            out.cancel.append(command)
        if wanted:
            self._work[key] = wanted
        else:
            self._work.pop(key, None)

    def _tell(self, events: tuple[Event, ...], subject: AnyResource, out: Outputs) -> None:
        for event in events:
            record = self._events.record(event, subject, self._now)
            if record is not None:
                out.events.append(record)


def manifest(resource: AnyResource) -> dict[str, Any]:
    """What a client sends to create an object: no status, no server-set metadata."""
    metadata = dump(resource.metadata)
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences", "finalizers")
    return {
        "apiVersion": API_VERSION,
        "kind": resource.KIND,
        "metadata": {name: metadata[name] for name in kept if metadata.get(name)},
        "spec": dump(resource.spec),
    }
