"""/metrics/state: rendered from cached bytes, in steps short enough for the event loop that it shares.

Changes only mark objects; a scrape renders what is marked. Everything is told as the API server has confirmed it, but
for what is allocated on a host: that is the ledger's, in which a write in flight counts on both sides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.control.world import World
from drover.observe.families import LEDGER, Family
from drover.observe.families import kubevirt as kubevirt_families
from drover.observe.families.state import HOST_FAMILIES, METRICS_SERIES, SUMS, VM_FAMILIES
from drover.observe.migrations import mode_of
from drover.observe.state import hosts, kubevirt, vms
from drover.observe.state.cache import Section
from drover.observe.state.hosts import Free
from drover.observe.state.sums import sums
from drover.observe.state.tally import Fact, Tally
from drover.observe.state.usage import UsageLines
from drover.observe.state.vms import Detail

STEP_SECONDS = 0.002
"""The event loop turns after so long; counting what fits into a large pool takes a few times that at once."""
Step = TypeVar("Step")
Compat = Literal["none", "kubevirt"]
"""Other names under which the same is told too."""


class StatePage:
    """The page of one World."""

    def __init__(
        self, world: World, clock: Callable[[], datetime], detail: Detail = "info", compat: Compat = "none"
    ) -> None:
        self._world = world
        self._clock = clock
        self._kubevirt = compat == "kubevirt"
        self._hosts = Section[Host](HOST_FAMILIES, self._host_lines)
        self._vms: list[Section[VirtualMachine]] = []
        self._migrations: list[Section[VirtualMachineMigration]] = []
        if detail != "off":
            self._vms.append(Section(VM_FAMILIES, lambda vm: vms.lines(vm, world, detail)))
        if self._kubevirt:
            self._vms.append(Section(kubevirt_families.VM_FAMILIES, lambda vm: kubevirt.vm_lines(vm, world)))
            self._migrations.append(Section(kubevirt_families.MIGRATION_FAMILIES, kubevirt.migration_lines))
        self._free: dict[Key, Free] = {}
        self._tally = Tally()
        self._usage = UsageLines(world.usage)
        self._changed_objects: dict[Key, None] = {}
        self._changed_hosts: dict[Key, None] = {}
        self._one_at_a_time = asyncio.Lock()
        for kind in (VirtualMachine, VirtualMachineMigration, Host):
            for key in world.keys(kind.KIND):
                self._mark(world.find(key))
        world.subscribe(self._changed)

    async def render(self) -> list[bytes]:
        """The page in parts; between two steps the event loop turns."""
        async with self._one_at_a_time:
            async for _ in _stepwise(self._refresh()):
                pass
            summed: dict[Family, list[str]] = {family: [] for family in self._summed_families()}
            async for family, line in _stepwise(self._sums()):
                summed[family].append(line)
            return list(self._assembled(summed))

    # What has changed

    def _changed(self, before: AnyResource | None, after: AnyResource | None) -> None:
        if isinstance(before, VirtualMachine) and isinstance(after, VirtualMachine) and _same_claim(before, after):
            self._changed_objects[after.key] = None
            return
        for resource in (before, after):
            self._mark(resource)

    def _mark(self, resource: AnyResource | None) -> None:
        match resource:
            case VirtualMachine():
                self._changed_objects[resource.key] = None
                self._mark_hosts(resource.status.host_name)
            case VirtualMachineMigration():
                self._changed_objects[resource.key] = None
                self._mark_hosts(resource.status.source_host, resource.status.target_host)
            case Host():
                self._mark_hosts(resource.name)
            case Volume():
                self._changed_objects.update(dict.fromkeys(self._world.vms_of_volume[resource.key]))

    def _mark_hosts(self, *names: str | None) -> None:
        self._changed_hosts.update({Key(Host.KIND, "", name): None for name in names if name})

    # Rendering

    def _refresh(self) -> Iterator[None]:
        """Render what has changed until now; hosts last, for they tell how many VMs they have."""
        for key in list(self._changed_objects):
            del self._changed_objects[key]
            self._refresh_object(key)
            yield
        for key in list(self._changed_hosts):
            del self._changed_hosts[key]
            self._refresh_host(key)
            yield
        for section in self._sections():
            yield from section.cache.join()

    def _refresh_object(self, key: Key) -> None:
        confirmed = self._world.confirmed(key)
        match confirmed:
            case None:
                self._state_facts(key, ())
                for section in self._sections():
                    section.cache.drop(key)
            case VirtualMachine():
                self._state_facts(key, vms.facts(confirmed))
                for section in self._vms:
                    section.put(key, confirmed)
            case VirtualMachineMigration():
                self._tally.state(key, [("migration", confirmed.status.phase or "Pending", mode_of(confirmed))])
                for moves in self._migrations:
                    moves.put(key, confirmed)

    def _sections(self) -> tuple[Section[Any], ...]:
        return self._hosts, *self._vms, *self._migrations

    def _state_facts(self, key: Key, facts: Iterable[Fact]) -> None:
        self._mark_hosts(*(str(fact[1]) for fact in self._tally.state(key, facts) if fact[0] == "host"))

    def _refresh_host(self, key: Key) -> None:
        host = cast("Host | None", self._world.confirmed(key))
        free = hosts.free_on(key.name, self._world.ledger)
        if host is None:
            self._hosts.cache.drop(key)
        else:
            self._hosts.put(key, host)
        if host is None or free is None:
            self._free.pop(key, None)
        else:
            self._free[key] = free

    def _host_lines(self, host: Host) -> tuple[str, ...]:
        return hosts.lines(host, self._world.ledger, self._tally.count("host", host.name))

    def _summed_families(self) -> tuple[Family, ...]:
        more = kubevirt_families.MIGRATIONS_IN.values() if self._kubevirt else ()
        return (*SUMS, *LEDGER, *more)

    def _sums(self) -> Iterator[tuple[Family, str]]:
        yield from sums(self._world, self._tally, list(self._free.values()))
        yield from self._usage.at(self._clock())
        if self._kubevirt:
            yield from kubevirt.sums(self._tally)

    def _assembled(self, summed: dict[Family, list[str]]) -> Iterator[bytes]:
        series: list[tuple[Family, int]] = []
        for section in self._sections():
            for family, count, parts in section.told():
                series.append((family, count))
                yield from _family(family, parts)
        for family, lines in summed.items():
            series.append((family, len(lines)))
            yield from _family(family, ["".join(lines).encode()])
        told = "".join(METRICS_SERIES.line(count, family.name) for family, count in series)
        yield from _family(METRICS_SERIES, [told.encode()])


async def _stepwise(steps: Iterator[Step]) -> AsyncIterator[Step]:
    """The same, with a turn of the event loop whenever its time is up."""
    begun = time.perf_counter()
    for step in steps:
        yield step
        if time.perf_counter() - begun > STEP_SECONDS:
            await asyncio.sleep(0)
            begun = time.perf_counter()


def _same_claim(before: VirtualMachine, after: VirtualMachine) -> bool:
    """Whether a change of a VM leaves what it takes of its host as it was."""
    was, status = before.status, after.status
    return was.host_name == status.host_name and (was.flavor is status.flavor or was.flavor == status.flavor)


def _family(family: Family, parts: Iterable[bytes]) -> Iterator[bytes]:
    yield family.head
    yield from parts
