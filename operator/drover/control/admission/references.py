"""Names that lead nowhere: what an object refers to, and which of it waiting does not mend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drover.api.flavor import Flavor
from drover.api.host import Host
from drover.api.meta import AnyResource, Key
from drover.api.migrationplan import MigrationPlan
from drover.api.migrationpolicy import MigrationPolicy
from drover.api.nodepool import NodePool
from drover.api.priorityclass import PriorityClass
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.api.volume import Volume
from drover.control.admission.verdict import Fault
from drover.control.migrationplan.preparing import no_host, refusal
from drover.control.policies import PolicyNotFound, policy_named
from drover.control.stage import named
from drover.control.virtualmachine.prerequisites import lacking, volume_of_template
from drover.control.virtualmachinemigration.endings import vm_missing
from drover.control.volume import source_fault
from drover.control.world import World
from drover.control.world.claims import group_of_vm, images_of_vm, images_of_volume, networks_of_vm, volumes_of_vm


def faults(resource: AnyResource, world: World) -> Iterator[Fault]:
    """What is wrong with the object's references, each in the words of its controller."""
    match resource:
        case VirtualMachine():
            yield from _of_vm(resource, world)
        case Volume():
            yield from _of_volume(resource, world)
        case VirtualMachineMigration():
            yield from _of_migration(resource, world)
        case MigrationPlan():
            yield from _of_plan(resource, world)


def refers_to(resource: AnyResource) -> set[Key]:
    """Everything the object names."""
    match resource:
        case VirtualMachine():
            return _named_by_vm(resource)
        case Volume():
            return set(images_of_volume(resource))
        case VirtualMachineMigration():
            vm = Key(VirtualMachine.KIND, resource.namespace, resource.spec.virtual_machine_name)
            named_too = (MigrationPolicy.KIND, resource.spec.policy_name), (Host.KIND, resource.spec.target_host_name)
            return {vm, *_cluster_scoped(*named_too)}
        case MigrationPlan():
            return _named_by_plan(resource)
    return set()


def _cluster_scoped(*named_: tuple[str, str | None]) -> Iterator[Key]:
    return (Key(kind, "", name) for kind, name in named_ if name)


# VirtualMachine and Volume


def _of_vm(vm: VirtualMachine, world: World) -> Iterator[Fault]:
    for missing in lacking(vm, world):
        if missing.stalled:
            yield Fault(missing.reason, missing.message)
    for disk in _templates(vm):
        if world.volume(disk.namespace, disk.name) is None:
            yield from _of_volume(disk, world)
    pool, priority = vm.spec.placement.node_pool_name, vm.spec.priority_class_name
    if pool is not None and world.pool(pool) is None:
        mend = "create it, or correct spec.placement.nodePoolName"
        yield Fault("PoolNotFound", f"node pool {pool} does not exist: {mend}")
    if priority is not None and world.get(PriorityClass, "", priority) is None:
        mend = "create it, or set spec.priorityClassName to one of `kubectl get priorityclasses`"
        yield Fault("PriorityClassNotFound", f"PriorityClass {priority} does not exist: {mend}")


def _of_volume(volume: Volume, world: World) -> Iterator[Fault]:
    if volume.status.capacity is None and (found := source_fault(volume, world)) is not None:
        yield Fault(*found)


def _templates(vm: VirtualMachine) -> list[Volume]:
    return [volume_of_template(vm, disk) for disk in vm.spec.volumes if disk.template is not None]


def _named_by_vm(vm: VirtualMachine) -> set[Key]:
    sources = {image for volume in _templates(vm) for image in images_of_volume(volume)}
    found = {*images_of_vm(vm), *networks_of_vm(vm), *volumes_of_vm(vm), *group_of_vm(vm), *sources}
    return found | {
        *_cluster_scoped(
            (Flavor.KIND, vm.spec.flavor_ref.name),
            (NodePool.KIND, vm.spec.placement.node_pool_name),
            (PriorityClass.KIND, vm.spec.priority_class_name),
        )
    }


# Migrations


def _of_migration(migration: VirtualMachineMigration, world: World) -> Iterator[Fault]:
    spec = migration.spec
    vm = world.get(VirtualMachine, migration.namespace, spec.virtual_machine_name)
    if (missing := vm_missing(migration, vm)) is not None:
        yield Fault("VirtualMachineDeleted", missing)
    if spec.policy_name is not None and isinstance(found := policy_named(spec.policy_name, world), PolicyNotFound):
        yield Fault("NotMigratable", found.message)
    yield from _no_hosts([spec.target_host_name], world)


def _of_plan(plan: MigrationPlan, world: World) -> Iterator[Fault]:
    spec, listed = plan.spec, plan.spec.virtual_machines or ()
    if (message := refusal(plan, world)) is not None:
        yield Fault("NotMigratable", message)
    keys = [Key(VirtualMachine.KIND, plan.namespace, vm.name) for vm in listed]
    if absent := [key for key in keys if world.find(key) is None]:
        mend = "create them, or remove them from spec.virtualMachines"
        yield Fault("VirtualMachineNotFound", f"{len(absent)} of {len(keys)} VMs do not exist: {named(absent)}: {mend}")
    yield from _no_hosts([vm.target_host_name for vm in listed] + list(spec.target.host_names), world)
    pool = spec.target.node_pool_name
    if pool is not None and world.pool(pool) is None:
        yield Fault("PoolNotFound", f"node pool {pool} does not exist: create it, or correct spec.target.nodePoolName")


def _no_hosts(names: Iterable[str | None], world: World) -> Iterator[Fault]:
    for name in dict.fromkeys(names):
        if name is not None and (message := no_host(name, world)) is not None:
            yield Fault("HostNotFound", message)


def _named_by_plan(plan: MigrationPlan) -> set[Key]:
    spec, listed = plan.spec, plan.spec.virtual_machines or ()
    hosts = [vm.target_host_name for vm in listed] + [*spec.target.host_names, spec.host_name]
    others = (MigrationPolicy.KIND, spec.policy_name), (NodePool.KIND, spec.target.node_pool_name)
    return {
        *(Key(VirtualMachine.KIND, plan.namespace, vm.name) for vm in listed),
        *_cluster_scoped(*((Host.KIND, name) for name in hosts), *others),
    }
