"""What objects hold and refer to, read off their spec and status. A claim is a fact of one object's status."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf
from typing import NamedTuple

from drover.api.host import Host
from drover.api.meta import GROUP, Key, NamespacedRef
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.api.virtualmachinemigration import MigrationClaim, VirtualMachineMigration
from drover.api.volume import Volume
from drover.model.placement import Claim, HostRow, Ratios, Resources, Taint, Weights
from drover.model.placement.cpumodels import provides
from drover.model.placement.refusal import UNSATISFIED

FINAL_MIGRATION_PHASES = frozenset({"Succeeded", "Failed", "Cancelled"})
FINAL_PLAN_PHASES = frozenset({"Succeeded", "PartiallySucceeded", "Failed", "Cancelled", "Superseded", "Expired"})
PLAN_UID_LABEL = f"{GROUP}/plan-uid"
"""On a plan's migrations: which plan, so that one made anew under the same name is told apart."""


def vm_claims(vm: VirtualMachine | None, marks: frozenset[Hashable]) -> dict[tuple[str, str], Claim]:
    """The host a VM's status says it holds. ``marks``: what it counts under there."""
    if vm is None or not vm.status.host_name or vm.status.flavor is None:
        return {}
    return {(vm.uid, vm.status.host_name): Claim(size_of(vm.status.flavor), vm.status.numa_cells, marks)}


def migration_claims(
    migration: VirtualMachineMigration | None, marks: frozenset[Hashable]
) -> dict[tuple[str, str], Claim]:
    """The target a migration holds for its VM. It is charged once, with the VM, after the commit."""
    if migration is None or is_final(migration):
        return {}
    status = migration.status
    if not status.target_host or not status.vm_uid or status.resources is None:
        return {}
    claim = Claim(claim_size(status.resources), status.resources.numa_cells, marks)
    return {(status.vm_uid, status.target_host): claim}


def size_of(flavor: ResolvedFlavor) -> Resources:
    """vCPUs at the host's ratio, or whole threads in their stead."""
    return Resources(
        0 if flavor.milli_threads else flavor.vcpus * 1000,
        flavor.memory_bytes,
        flavor.root_disk_bytes,
        flavor.bandwidth_bytes_per_second,
        flavor.milli_threads,
        tuple(sorted(flavor.gpus.items())),
    )


def claim_size(claim: MigrationClaim) -> Resources:
    return Resources(
        0 if claim.milli_threads else claim.vcpus * 1000,
        claim.memory_bytes,
        claim.disk_bytes,
        claim.bandwidth_bytes_per_second,
        claim.milli_threads,
        tuple(sorted(claim.gpus.items())),
    )


def holds_target(migration: VirtualMachineMigration, vm: VirtualMachine) -> bool:
    status = migration.status
    return not is_final(migration) and status.target_host is not None and status.vm_uid == vm.uid


def hosts_of_migration(migration: VirtualMachineMigration) -> list[str]:
    """Source and target, from when the target is claimed until its end."""
    source, target = migration.status.source_host, migration.status.target_host
    return [] if source is None or target is None or is_final(migration) else [source, target]


def is_post_copy(migration: VirtualMachineMigration) -> bool:
    """Whether the guest runs on the target, and its VM has yet to move there."""
    phase, mode = migration.status.phase, migration.status.mode
    return phase == "PostCopy" or (phase == "Commitment" and mode == "PostCopy")


def is_final(migration: VirtualMachineMigration) -> bool:
    return migration.status.phase in FINAL_MIGRATION_PHASES


def host_row(host: Host, pool: NodePool | None) -> HostRow:
    """A host as placement sees it, with its pool's strategy."""
    hardware = host.spec.hardware
    cpu = hardware.cpu
    overcommit = hardware.overcommit
    placement = pool.spec.placement if pool else None
    return HostRow(
        name=host.name,
        pool=host.spec.pool_ref.name,
        total=Resources(
            cpu.sockets * cpu.cores_per_socket * cpu.threads_per_core * 1000,
            hardware.memory.bytes,
            hardware.disk.bytes,
            sum(nic.bandwidth.bytes for nic in hardware.nics if nic.role in ("Tenant", "Shared")),
            gpus=tuple(sorted((gpu.device_name, gpu.count) for gpu in hardware.gpus)),
        ),
        reserved=Resources(hardware.reserved.cpu.milli, hardware.reserved.memory.bytes, hardware.reserved.disk.bytes),
        ratios=Ratios(overcommit.cpu.fraction, overcommit.memory.fraction, overcommit.disk.fraction),
        labels=hardware.labels,
        failure_domain=host.spec.failure_domain or "",
        rack=host.spec.rack or "",
        taints=tuple(Taint(t.key, t.value, t.effect) for t in (*hardware.taints, *host.spec.taints)),
        traits=frozenset(hardware.traits),
        cpu_model=(pool.spec.cpu_baseline if pool else None) or cpu.model,
        cells=cpu.sockets,
        blocked=_blocked(host, pool),
        strategy=placement.strategy if placement else "Balance",
        weights=Weights(**dict(placement.weights)) if placement else Weights(),
    )


def _blocked(host: Host, pool: NodePool | None) -> str | None:
    """Why nothing new may be placed on a host, in the words a refusal counts it under."""
    if host.deleting or (pool is not None and pool.deleting):
        return "being deleted"
    if not is_up(host):
        return "not ready"
    if host.spec.maintenance.mode == "Drain":
        return "in maintenance"
    if pool is not None and not provides(host.spec.hardware.cpu.model, pool.spec.cpu_baseline):
        return "below the CPU baseline of their pool"
    return "cordoned" if host.spec.unschedulable else None


def is_up(host: Host | None) -> bool:
    """Whether guests can run there: observed Ready, and no fault or power-off asked for since."""
    return (
        host is not None
        and host.status.is_true("Ready")
        and host.spec.fault.type == "None"
        and host.spec.power_state == "On"
    )


def migration_bandwidth(host: Host) -> int:
    """Bytes a second of the cards that carry live migrations."""
    nics = host.spec.hardware.nics
    dedicated = [nic.bandwidth.bytes for nic in nics if nic.role == "Migration"]
    return sum(dedicated) or sum(nic.bandwidth.bytes for nic in nics if nic.role == "Shared")


# What refers to what, for the indexes


def images_of_vm(vm: VirtualMachine) -> list[Key]:
    reference = vm.spec.image_ref
    return [Key("Image", reference.namespace or vm.namespace, reference.name)] if reference else []


def images_of_volume(volume: Volume) -> list[Key]:
    reference = volume.spec.source.ref
    return [Key("Image", reference.namespace or volume.namespace, reference.name)] if reference else []


def networks_of_vm(vm: VirtualMachine) -> set[Key]:
    """Networks a VM asks for, and those it still holds an address on."""
    asked = {
        Key("Network", nic.network_ref.namespace or vm.namespace, nic.network_ref.name) for nic in vm.spec.networks
    }
    return asked | {Key("Network", *nic.network.split("/", 1)) for nic in vm.status.interfaces}


def group_of_vm(vm: VirtualMachine) -> list[Key]:
    name = vm.spec.placement.placement_group_name
    return [Key("PlacementGroup", vm.namespace, name)] if name else []


def preempted_by(vm: VirtualMachine) -> list[Key]:
    """The VMs that are to be stopped so that this one fits."""
    placement = vm.status.placement if is_unschedulable(vm) else None
    return [Key(vm.KIND, *name.split("/", 1)) for name in placement.preempts] if placement is not None else []


def nominated_by(vm: VirtualMachine) -> list[str]:
    """The host where room is made for the VM."""
    placement = vm.status.placement if is_unschedulable(vm) else None
    return [placement.nominated_host_name] if placement is not None and placement.nominated_host_name else []


def is_unschedulable(vm: VirtualMachine) -> bool:
    """Whether it waits for a host that fits. One that is stopped or deleted meanwhile does not."""
    return vm.status.phase == "Unschedulable" and not vm.status.host_name


def waits_like(vm: VirtualMachine) -> list[Want]:
    """What VMs without a host that fits have in common if one of them waits for just what the other does."""
    if not is_unschedulable(vm):
        return []
    spec, beside = vm.spec, looks_beside(vm)
    return [
        Want(
            vm.namespace,
            spec.flavor_ref.name,
            spec.image_ref,
            spec.priority_class_name,
            spec.placement.model_dump_json(exclude_defaults=True),
            beside,
            tuple(sorted(vm.metadata.labels.items())) if beside or _was_kept_apart(vm) else (),
            _was_kept_for_failover(vm),
        )
    ]


class Want(NamedTuple):
    """What a VM without a host waits for."""

    namespace: str
    flavor: str
    image: NamespacedRef | None
    priority_class: str | None
    placement: str
    beside: bool
    """Whether it matters to the VM who else is on a host."""
    labels: tuple[tuple[str, str], ...]
    """Where it matters what others make of them."""
    failover: bool
    """Whether it would fit, but for what its pool holds back."""


def created_at(vm: VirtualMachine) -> float:
    """In seconds of the epoch; the end of time for a VM that the API server has not told of."""
    created = vm.metadata.creation_timestamp
    return created.timestamp() if created is not None else inf


def _was_kept_apart(vm: VirtualMachine) -> bool:
    """Whether others kept the VM from being beside them, when it was last looked at."""
    placement = vm.status.placement
    return placement is not None and any(words.startswith(UNSATISFIED) for words in placement.rejections)


def _was_kept_for_failover(vm: VirtualMachine) -> bool:
    scheduled = vm.status.condition("Scheduled")
    return scheduled is not None and scheduled.reason == "FailoverCapacityWouldBeLost"


def looks_beside(vm: VirtualMachine) -> bool:
    """Whether it matters to the VM who else is on a host."""
    placement = vm.spec.placement
    return bool(placement.affinity or placement.topology_spread or placement.placement_group_name)


def volume_name(vm: VirtualMachine, disk: str) -> str:
    """The name of the Volume made from a VM's template: the same after every crash."""
    return f"{vm.name}-{disk}"


def volumes_of_vm(vm: VirtualMachine) -> set[Key]:
    """Volumes a VM asks for, and those it still holds."""
    asked = {
        Key("Volume", vm.namespace, disk.volume_ref.name if disk.volume_ref else volume_name(vm, disk.name))
        for disk in vm.spec.volumes
    }
    return asked | volumes_held_by(vm)


def volumes_held_by(vm: VirtualMachine) -> set[Key]:
    return {Key("Volume", vm.namespace, disk.volume) for disk in vm.status.volumes}


def plan_of_migration(migration: VirtualMachineMigration) -> list[Key]:
    spec = migration.spec
    if not spec.plan_name:
        return []
    return [Key("MigrationPlan", spec.plan_namespace or migration.namespace, spec.plan_name)]
