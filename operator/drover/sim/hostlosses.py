"""What must hold while hosts are lost: nothing restarts elsewhere unfenced, and no guest comes back from the dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from drover.api.host import Host
from drover.api.virtualmachine import VirtualMachine

LIVE = ("Running", "Paused", "Migrating")
WITH_A_GUEST = (*LIVE, "Starting", "Unknown")
RESTARTED = ("Starting", "Pending", "Provisioning", "Unschedulable")


class Seen(Protocol):
    """The store at one version: VMs by uid, hosts by name."""

    @property
    def vms(self) -> Mapping[str, VirtualMachine]: ...
    @property
    def hosts(self) -> Mapping[str, Host]: ...


class HostLosses:
    """Remembers, from one version of the store to the next, which hosts were emptied and which guests died."""

    def __init__(self) -> None:
        self._emptied: frozenset[str] = frozenset()
        """Dead hosts that were fenced or off since they were last up: no guest of theirs can be running."""
        self._killed: dict[str, tuple[str, int]] = {}
        """VM uid to (host, boot attempt) of a guest that died with its host."""

    def check(self, before: Seen, now: Seen) -> Iterator[str]:
        were_emptied = self._emptied
        self._remember(before, now)
        yield from _fenced_first(before, now, were_emptied | self._emptied)
        yield from self._dead_for_good(now)
        yield from _charged_though_dead(now)

    def _remember(self, before: Seen, now: Seen) -> None:
        dead = {name for name, host in now.hosts.items() if _ready(host)[0] == "False"}
        died = {name for name in dead if name in before.hosts and _ready(before.hosts[name])[0] != "False"}
        self._emptied = frozenset(name for name in dead if name in self._emptied or _is_emptied(now.hosts[name]))
        booted = {uid: (vm.status.host_name or "", vm.status.boot_attempt) for uid, vm in now.vms.items()}
        killed = self._killed
        self._killed = {uid: boot for uid, boot in booted.items() if boot[0] in died or killed.get(uid) == boot}

    def _dead_for_good(self, now: Seen) -> Iterator[str]:
        """A guest that died with its host is not shown running there again without a boot."""
        for uid, (host, _) in self._killed.items():
            vm = now.vms[uid]
            if vm.status.phase in LIVE and host in now.hosts and now.hosts[host].status.is_true("Ready"):
                yield f"dead for good: {vm.key} is {vm.status.phase} on {host}, which failed since the guest was booted"


def _fenced_first(before: Seen, now: Seen, emptied: frozenset[str]) -> Iterator[str]:
    """A VM is restarted elsewhere only when its lost host was fenced or off."""
    for uid, vm in now.vms.items():
        old = before.vms.get(uid)
        left = old.status.host_name if old is not None else None
        if old is None or left not in now.hosts or left == vm.status.host_name:
            continue
        restarted = old.status.phase in WITH_A_GUEST and vm.status.phase in RESTARTED
        if restarted and left not in emptied:
            yield f"fenced first: {vm.key} was restarted and left {left}, where its guest may be running still"


def _charged_though_dead(now: Seen) -> Iterator[str]:
    for vm in now.vms.values():
        ready, usage = vm.status.condition("Ready"), vm.status.usage
        died = vm.status.phase == "Unknown" and ready is not None and ready.status == "False"
        if died and usage is not None and usage.open is not None and usage.open.phase == "Running":
            yield f"usage: {vm.key} died with its host and is charged as Running"


def _ready(host: Host) -> tuple[str, str]:
    """(status, reason) of Ready; of a host that nobody has looked at, Unknown."""
    ready = host.status.condition("Ready")
    return (ready.status, ready.reason) if ready is not None else ("Unknown", "")


def _is_emptied(host: Host) -> bool:
    return host.status.is_true("Fenced") or _ready(host)[1] == "PoweredOff"
