"""The lines of one VM, and what it is counted under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from drover.api.meta import Key
from drover.api.virtualmachine import VirtualMachine, VirtualMachinePhase
from drover.api.volume import Volume
from drover.control.world import World
from drover.observe.families.state import (
    VM_CREATED_TIMESTAMP_SECONDS,
    VM_INFO,
    VM_MEMORY_BYTES,
    VM_PHASE_TRANSITION_TIMESTAMP_SECONDS,
    VM_STATUS_PHASE,
    VM_STORAGE_BYTES,
    VM_VCPUS,
)
from drover.observe.state.cache import Lines
from drover.observe.state.tally import Fact

Detail = Literal["off", "info", "full"]
"""Series of single VMs: none; the phase each is in; every phase, 0 or 1."""

PHASES: tuple[str, ...] = get_args(VirtualMachinePhase)
ROOT_DISK = "root"
"""The storage class of root disks, which are on their host's disk; the usage ledger calls them the same."""
QUEUES = {"": "active", "Pending": "gated", "Provisioning": "gated", "Unschedulable": "unschedulable"}
"""Phase of a VM without a host to the queue it waits in; nothing here waits in a backoff."""


def facts(vm: VirtualMachine) -> Iterator[Fact]:
    yield "phase", vm.namespace, phase_of(vm)
    if vm.status.host_name:
        yield "host", vm.status.host_name
    elif (queue := QUEUES.get(vm.status.phase or "")) is not None:
        yield "queue", queue


def lines(vm: VirtualMachine, world: World, detail: Detail) -> Lines:
    """In the order of ``VM_FAMILIES``."""
    own = vm.namespace, vm.name, vm.uid
    status, size = vm.status, vm.status.flavor if vm.status.host_name else None
    place = status.host_name or "", status.failure_domain or "", vm.spec.flavor_ref.name, vm.spec.run_strategy
    created, changes = vm.metadata.creation_timestamp, status.phase_transitions
    return (
        VM_INFO.line(1, *own, *place),
        _phases(vm, detail),
        VM_VCPUS.line(size.vcpus if size else 0, *own),
        VM_MEMORY_BYTES.line(size.memory_bytes if size else 0, *own),
        "".join(VM_STORAGE_BYTES.line(held, *own, name) for name, held in sorted(_storage(vm, world).items())),
        VM_CREATED_TIMESTAMP_SECONDS.line(created.timestamp(), *own) if created else "",
        VM_PHASE_TRANSITION_TIMESTAMP_SECONDS.line(changes[-1].at.timestamp(), *own) if changes else "",
    )


def phase_of(vm: VirtualMachine) -> str:
    """One that nobody has looked at yet is pending."""
    return vm.status.phase or "Pending"


def _phases(vm: VirtualMachine, detail: Detail) -> str:
    own, present = (vm.namespace, vm.name, vm.uid), phase_of(vm)
    told = PHASES if detail == "full" else (present,)
    return "".join(VM_STATUS_PHASE.line(int(phase == present), *own, phase) for phase in told)


def _storage(vm: VirtualMachine, world: World) -> dict[str, int]:
    """Bytes by storage class: the root disk while the VM has a host, and its volumes."""
    held: dict[str, int] = {}
    if vm.status.flavor is not None and vm.status.host_name and vm.status.flavor.root_disk_bytes:
        held[ROOT_DISK] = vm.status.flavor.root_disk_bytes
    for attached in vm.status.volumes:
        volume = world.confirmed(Key(Volume.KIND, vm.namespace, attached.volume))
        if isinstance(volume, Volume):
            size = volume.status.capacity or volume.spec.size
            held[volume.spec.class_name] = held.get(volume.spec.class_name, 0) + size.bytes
    return held
