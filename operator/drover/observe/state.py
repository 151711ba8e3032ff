"""The state of the data centre as metrics, rendered by hand from the World at each scrape.

A client library's collectors cost fifteen times as much, and at 100,000 series that is felt. Only the leader exposes
these families, or every replica would tell the same twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from drover.api.host import Host
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.control.world import World
from drover.model.placement import Resources
from drover.observe.migrations import MODE

Sample = tuple[Mapping[str, str], float]


def render(world: World) -> Iterator[str]:
    """The families, one text a family."""
    yield _family("drover_host_info", "Static information about a host; always 1.", _host_info(world))
    yield _family(
        "drover_host_capacity",
        "Raw capacity of the host by resource (cpu in cores, memory and storage in bytes).",
        _host_capacity(world),
    )
    yield _family(
        "drover_host_allocatable",
        "Capacity usable by VMs: (total - reserved) x allocation ratio.",
        _host_amounts(world, world.ledger.allocatable),
    )
    yield _family(
        "drover_host_allocated",
        "Sum of resources of VMs placed on the host, including incoming migration reservations.",
        _host_amounts(world, world.ledger.allocated),
    )
    yield _family("drover_host_vms", "Number of VMs placed on the host.", _host_vms(world))
    yield _family(
        "drover_vm_info",
        "Information about a VM; always 1. Only per-VM series carrying placement labels.",
        _vm_info(world),
    )
    yield _family(
        "drover_vm_status_phase",
        "VM phase; 1 for the phase the VM is in, 0 for the others.",
        _vm_phase(world),
    )
    yield _family("drover_vms", "Number of VMs by namespace and phase.", _vms(world))
    yield _family("drover_migrations", "Migrations by current phase.", _migrations(world))


def _family(name: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        named = ",".join(f'{label}="{_escaped(worth)}"' for label, worth in labels.items())
        lines.append(f"{name}{{{named}}} {value:.17g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _host_info(world: World) -> Iterator[Sample]:
    for host in world.all(Host):
        zone = host.spec.failure_domain or ""
        yield {"host": host.name, "zone": zone, "failure_domain": zone}, 1


def _host_capacity(world: World) -> Iterator[Sample]:
    for host in world.all(Host):
        capacity = host.status.capacity
        if capacity is not None:
            amounts = Resources(capacity.cpu.milli, capacity.memory.bytes, capacity.disk.bytes)
            yield from _amounts(host.name, amounts)


def _host_amounts(world: World, amounts_of: Callable[[str], Resources]) -> Iterator[Sample]:
    for host in world.all(Host):
        yield from _amounts(host.name, amounts_of(host.name))


def _amounts(host: str, amounts: Resources) -> Iterator[Sample]:
    yield {"host": host, "resource": "cpu", "unit": "core"}, amounts.milli_cpu / 1000
    yield {"host": host, "resource": "memory", "unit": "byte"}, amounts.memory
    yield {"host": host, "resource": "storage", "unit": "byte"}, amounts.disk


def _host_vms(world: World) -> Iterator[Sample]:
    for host in world.all(Host):
        yield {"host": host.name}, world.vms_on.count(host.name)


def _vm_info(world: World) -> Iterator[Sample]:
    for vm in world.all(VirtualMachine):
        labels = {
            "namespace": vm.namespace,
            "vm": vm.name,
            "uid": vm.uid,
            "host": vm.status.host_name or "",
            "zone": vm.status.failure_domain or "",
            "flavor": vm.spec.flavor_ref.name,
            "run_strategy": vm.spec.run_strategy,
        }
        yield labels, 1


def _vm_phase(world: World) -> Iterator[Sample]:
    for vm in world.all(VirtualMachine):
        yield {"namespace": vm.namespace, "vm": vm.name, "uid": vm.uid, "phase": vm.status.phase or "Pending"}, 1


def _vms(world: World) -> Iterator[Sample]:
    counts = Counter((vm.namespace, vm.status.phase or "Pending") for vm in world.all(VirtualMachine))
    for (namespace, phase), count in sorted(counts.items()):
        yield {"namespace": namespace, "phase": phase}, count


def _migrations(world: World) -> Iterator[Sample]:
    counts = Counter(migration.status.phase or "Pending" for migration in world.all(VirtualMachineMigration))
    for phase, count in sorted(counts.items()):
        yield {"phase": phase, "mode": MODE}, count
