"""What the operator may have known: the versions every object had of late, and what VMs held or were about to hold.

A decision is made on what the watches had told by then and carried out when its write arrives, both seconds later at
times. Whoever judges it must ask whether it was right by any of the versions that may have been known. Claims are the
operator's own writes: it knows them as it sends them, and holds to them until they are answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Generic, TypeVar, cast

from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.sim.picture import Picture
from drover.sim.store import Store

ValueT = TypeVar("ValueT")
ResourceT = TypeVar("ResourceT", bound=AnyResource)
Hosts = frozenset[str]

LAG = timedelta(seconds=40)
"""A watch is never further behind: it breaks off for 15 s and lags for 10 s, and may do so again."""
IN_FLIGHT = timedelta(minutes=2)
"""No write is on its way for longer: 40 s in a partition, then 30 s late."""
KEPT = timedelta(minutes=5)
"""Longer than both together."""


class Course(Generic[ValueT]):
    """Values, each with the instant from which it was the present one."""

    def __init__(self, value: ValueT) -> None:
        self._values = [(datetime.min.replace(tzinfo=UTC), value)]

    def set(self, value: ValueT, now: datetime) -> None:
        if self._values[-1][1] != value:
            self._values.append((now, value))
            kept = next(n for n, (_, end) in enumerate(self._spans()) if end is None or end > now - KEPT)
            del self._values[:kept]

    def since(self, at: datetime) -> list[ValueT]:
        """Those that were the present one at ``at`` or later, oldest first."""
        return [value for value, end in self._spans() if end is None or end > at]

    def _spans(self) -> Iterator[tuple[ValueT, datetime | None]]:
        for (_, value), (end, _) in pairwise(self._values):
            yield value, end
        yield self._values[-1][1], None


class History:
    """Versions of every object and claims of every VM, by key."""

    def __init__(self) -> None:
        self._objects: dict[Key, Course[AnyResource | None]] = defaultdict(lambda: Course(None))
        self._claims: dict[Key, Course[Hosts]] = defaultdict(lambda: Course(frozenset()))
        self._sent: dict[Key, list[tuple[datetime, str]]] = defaultdict(list)
        self._latest: dict[Key, AnyResource] = {}

    def take(self, store: Store, picture: Picture, now: datetime) -> None:
        """Record what is in the store now."""
        present = {resource.key: resource for resource in store}
        for key in self._latest.keys() - present.keys():
            self._objects[key].set(None, now)
        for key, resource in present.items():
            if self._latest.get(key) is not resource:
                self._objects[key].set(resource, now)
        self._latest = present
        held: dict[Key, Hosts] = defaultdict(frozenset)
        for host, claims in picture.claims.items():
            for uid in claims:
                held[picture.vms[uid].key] |= {host}
        for key in self._claims.keys() | held.keys():
            self._claims[key].set(held[key], now)

    def sent(self, vm: Key, host: str, now: datetime) -> None:
        """The operator sends a write by which a VM claims a host, whether it arrives or not."""
        self._sent[vm].append((now, host))

    def versions(self, key: Key, at: datetime) -> list[AnyResource | None]:
        """Every version that was the present one at ``at`` or later, oldest first. None: there was no such object."""
        return self._objects[key].since(at)

    def known(self, kind: type[ResourceT], namespace: str, name: str, at: datetime) -> list[ResourceT | None]:
        """Every version that whoever decided at an instant, or has looked since, may have seen, the last one last.

        Those that differ only in what placement does not ask for are one.
        """
        versions = cast("list[ResourceT | None]", self.versions(Key(kind.KIND, namespace, name), at - LAG))
        return [one for one, next_ in pairwise(versions) if _face(one) != _face(next_)] + versions[-1:]

    def keys(self, kind: type[AnyResource], namespace: str) -> list[Key]:
        """Of the objects of a kind that are or were."""
        return [key for key in self._objects if key.kind == kind.KIND and key.namespace == namespace]

    def held(self, vm: Key, at: datetime) -> Hosts:
        """The hosts that a VM has held all the time since an instant."""
        return frozenset.intersection(*self._claims[vm].since(at))

    def counted(self, vm: Key, at: datetime) -> Hosts:
        """The hosts that whoever decided at an instant may have taken the VM to hold, and those it has held since."""
        held = frozenset[str]().union(*self._claims[vm].since(at - LAG))
        return held | {host for sent_at, host in self._sent[vm] if sent_at > at - IN_FLIGHT}


def _face(resource: AnyResource | None) -> object:
    """What placement may ask of an object; a VM that runs has a size and a CPU model too."""
    if resource is None:
        return None
    own = (resource.status.flavor, resource.status.cpu_model) if isinstance(resource, VirtualMachine) else ()
    return resource.spec, resource.metadata.labels, resource.deleting, own
