"""What a VM needs before it can be placed, checked in order: flavor, image, networks, volumes, addresses.

``gather`` reads everything from the World into one value, or says what is missing first; ``lacking`` says all of it.
Each rule looks at one thing and returns what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from drover.api.flavor import Flavor, FlavorCPU
from drover.api.meta import Key, ObjectMeta
from drover.api.placementgroup import PlacementGroup
from drover.api.quantity import human
from drover.api.virtualmachine import (
    AttachedVolume,
    Interface,
    ResolvedFlavor,
    VirtualMachine,
    VirtualMachineNetwork,
    VirtualMachineVolume,
)
from drover.api.volume import Volume, VolumeSource, VolumeSpec
from drover.control.outcome import Create
from drover.control.virtualmachine.interfaces import NoAddress, allocate_interfaces
from drover.control.world import World
from drover.control.world.claims import images_of_vm, volume_name


@dataclass(frozen=True, slots=True)
class Ready:
    """All a VM needs to be placed and started."""

    flavor: ResolvedFlavor
    interfaces: tuple[Interface, ...]
    volumes: tuple[AttachedVolume, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """The first thing missing. ``stalled``: waiting does not mend it, somebody has to change something."""

    reason: str
    message: str
    stalled: bool = False
    create: tuple[Create, ...] = ()
    """Volumes to make from templates meanwhile."""


def gather(vm: VirtualMachine, world: World) -> Ready | Missing:
    flavor = resolve_flavor(vm, world)
    if isinstance(flavor, Missing):
        return flavor
    missing = _image(vm, flavor, world) or _group(vm, world) or next(_networks(vm, world), None)
    if missing is not None:
        return missing
    volumes = _volumes(vm, world)
    if isinstance(volumes, Missing):
        return volumes
    interfaces = _interfaces(vm, world)
    if isinstance(interfaces, Missing):
        return interfaces
    return Ready(flavor, interfaces, volumes)


def lacking(vm: VirtualMachine, world: World) -> Iterator[Missing]:
    """All that is missing, where ``gather`` tells the first of it."""
    flavor = resolve_flavor(vm, world)
    image = _image(vm, flavor, world) if not isinstance(flavor, Missing) else None
    networks = list(_networks(vm, world))
    disks = (_disk(vm, disk, world) for disk in vm.spec.volumes)
    interfaces = _interfaces(vm, world) if not networks else None
    for found in (flavor, image, _group(vm, world), *networks, *disks, interfaces):
        if isinstance(found, Missing):
            yield found


def resolve_flavor(vm: VirtualMachine, world: World) -> ResolvedFlavor | Missing:
    """The size to start with: the flavor's, or the copy the VM holds of one that is gone."""
    name = vm.spec.flavor_ref.name
    held = vm.status.flavor if vm.status.flavor is not None and vm.status.flavor.name == name else None
    flavor = world.get(Flavor, "", name)
    if flavor is None or flavor.deleting:
        message = f"flavor {name} does not exist: create it, or set spec.flavorRef.name to one of `kubectl get flv`"
        return held or Missing("FlavorNotFound", message, stalled=True)
    if flavor.spec.lifecycle.state == "Obsolete" and held is None:
        replacement = flavor.spec.lifecycle.replacement_ref
        instead = f"use {replacement.name}" if replacement else "use one of `kubectl get flv`"
        return Missing("FlavorObsolete", f"flavor {name} takes no new VMs: {instead}", stalled=True)
    return resolved(flavor)


def resolved(flavor: Flavor) -> ResolvedFlavor:
    """The copy of a flavor that its VMs hold."""
    spec = flavor.spec
    gpus: Counter[str] = Counter()
    for gpu in spec.gpus:
        gpus[gpu.device_name] += gpu.count
    return ResolvedFlavor(
        name=flavor.name,
        generation=flavor.metadata.generation,
        vcpus=spec.cpu.guest,
        memory_bytes=spec.memory.guest.bytes,
        root_disk_bytes=spec.root_disk.size.bytes if spec.root_disk else 0,
        bandwidth_bytes_per_second=spec.network.bandwidth.bytes,
        milli_threads=_milli_threads(spec.cpu),
        numa_nodes=spec.cpu.numa_nodes or 0,
        gpus=dict(gpus),
        cpu_model=spec.cpu.model,
    )


def _milli_threads(cpu: FlavorCPU) -> int:
    """Thousandths of hardware threads, rounded up; 0 where the host's own ratio counts."""
    if cpu.dedicated_cpu_placement:
        return cpu.guest * 1000
    if cpu.allocation_ratio is None:
        return 0
    return ceil(cpu.guest * 1000 / cpu.allocation_ratio.fraction)


def _image(vm: VirtualMachine, flavor: ResolvedFlavor, world: World) -> Missing | None:
    """The image counts until the first boot; from then on the root disk is the VM's own."""
    if vm.status.boot_attempt > 0:
        return None
    for key in images_of_vm(vm):
        image = world.image(key.namespace, key.name)
        if image is None or image.deleting:
            message = f"image {key.namespace}/{key.name} does not exist: create it, or create the VM with another"
            return Missing("ImageNotFound", message, stalled=True)
        if image.status.phase != "Ready":
            state = image.status.phase or "Pending"  # without its progress, or each VM would be written for each step
            why = image.status.condition("Ready")
            detail = f" ({why.reason}: {why.message})" if why is not None and image.status.phase == "Failed" else ""
            return Missing("ImageNotReady", f"image {image.name} is {state}{detail}")
        needed = max(image.status.virtual_size_bytes or 0, image.spec.min_disk.bytes if image.spec.min_disk else 0)
        if needed > flavor.root_disk_bytes:
            message = (
                f"image {image.name} needs a root disk of {human(needed)}, flavor {flavor.name} has "
                f"{human(flavor.root_disk_bytes)}: choose a flavor with at least {human(needed)}"
            )
            return Missing("ImageTooLarge", message, stalled=True)
        memory = image.spec.min_memory.bytes if image.spec.min_memory else 0
        if memory > flavor.memory_bytes:
            message = (
                f"image {image.name} needs {human(memory)} of memory, flavor {flavor.name} has "
                f"{human(flavor.memory_bytes)}: choose a flavor with at least {human(memory)}"
            )
            return Missing("ImageTooLarge", message, stalled=True)
    return None


def _group(vm: VirtualMachine, world: World) -> Missing | None:
    name = vm.spec.placement.placement_group_name
    if name is None or world.get(PlacementGroup, vm.namespace, name) is not None:
        return None
    message = f"placement group {name} does not exist: create it, or remove spec.placement.placementGroupName"
    return Missing("PlacementGroupNotFound", message, stalled=True)


def _networks(vm: VirtualMachine, world: World) -> Iterator[Missing]:
    return filter(None, (_network(vm, nic, world) for nic in vm.spec.networks))


def _network(vm: VirtualMachine, nic: VirtualMachineNetwork, world: World) -> Missing | None:
    namespace = nic.network_ref.namespace or vm.namespace
    where = f"network {namespace}/{nic.network_ref.name}"
    network = world.network(namespace, nic.network_ref.name)
    if network is None or network.deleting:
        message = f"{where} does not exist: create it, or correct spec.networks[{nic.name}].networkRef"
        return Missing("NetworkNotReady", message, stalled=True)
    if namespace != vm.namespace and not network.spec.shared:
        message = f"{where} is not shared: its owner must set spec.shared, or use a network of {vm.namespace}"
        return Missing("NetworkNotReady", message, stalled=True)
    if network.status.phase != "Active":
        hint = ": set its spec.adminStateUp" if network.status.phase == "Down" else ""
        return Missing("NetworkNotReady", f"{where} is {network.status.phase or 'Pending'}{hint}")
    if nic.subnet and all(subnet.name != nic.subnet for subnet in network.spec.subnets):
        names = ", ".join(subnet.name for subnet in network.spec.subnets)
        message = f"{where} has no subnet {nic.subnet}: choose one of {names}"
        return Missing("NetworkNotReady", message, stalled=True)
    return None


def _interfaces(vm: VirtualMachine, world: World) -> tuple[Interface, ...] | Missing:
    interfaces = allocate_interfaces(vm, world)
    if isinstance(interfaces, NoAddress):
        return Missing("AddressUnavailable", interfaces.message, stalled=interfaces.stalled)
    return interfaces


def _volumes(vm: VirtualMachine, world: World) -> tuple[AttachedVolume, ...] | Missing:
    """The volumes to attach, or the first that is not there; those from templates are asked for all at once."""
    disks = [_disk(vm, disk, world) for disk in vm.spec.volumes]
    missing = [disk for disk in disks if isinstance(disk, Missing)]
    if missing:
        return replace(missing[0], create=tuple(made for one in missing for made in one.create))
    return tuple(disk for disk in disks if isinstance(disk, AttachedVolume))


def _disk(vm: VirtualMachine, disk: VirtualMachineVolume, world: World) -> AttachedVolume | Missing:
    name = disk.volume_ref.name if disk.volume_ref else volume_name(vm, disk.name)
    volume = world.volume(vm.namespace, name)
    if volume is None:
        if disk.template is not None:
            create = (Create(volume_of_template(vm, disk)),)
            return Missing("VolumeNotReady", f"volume {name} is being created from its template", create=create)
        message = f"volume {name} does not exist: create it, or correct spec.volumes[{disk.name}].volumeRef"
        return Missing("VolumeNotReady", message, stalled=True)
    attached = AttachedVolume(name=disk.name, volume=name, phase="InUse")
    return _not_ours(vm, disk, volume) or _objection(vm, disk, volume, world) or attached


def _objection(vm: VirtualMachine, disk: VirtualMachineVolume, volume: Volume, world: World) -> Missing | None:
    if volume.deleting and disk.template is not None:
        message = f"volume {volume.name} is being deleted: wait until it is gone and made anew, or rename the disk"
        return Missing("VolumeNotReady", message)
    if volume.deleting:
        return Missing("VolumeNotReady", f"volume {volume.name} is being deleted: create another", stalled=True)
    if volume.status.phase not in ("Available", "InUse", "Resizing"):
        return Missing("VolumeNotReady", f"volume {volume.name} is {volume.status.phase or 'Pending'}")
    others = world.books.attachments.holders(volume.key) - {vm.uid}
    if volume.spec.access_mode == "ReadWriteOnce" and others:
        message = (
            f"volume {volume.name} is ReadWriteOnce and attached to {_names(world, volume.key, vm)}: delete that "
            f"VM, remove the volume from it, or use a ReadWriteMany volume"
        )
        return Missing("VolumeNotReady", message)
    return None


def _not_ours(vm: VirtualMachine, disk: VirtualMachineVolume, volume: Volume) -> Missing | None:
    """A volume of a template's name that another VM made: a namesake deleted just now, or a clash of names.

    One that was retained is taken up, as a StatefulSet does with its claims.
    """
    owners = {owner.uid for owner in volume.metadata.owner_references}
    retained = volume.spec.reclaim_policy == "Retain" and not owners
    if disk.template is None or vm.uid in owners or retained:
        return None
    message = f"volume {volume.name} belongs to another VirtualMachine: wait until it is gone, or rename the disk"
    return Missing("VolumeNotReady", message)


def _names(world: World, volume: Key, but: VirtualMachine) -> str:
    return ", ".join(key.name for key in world.vms_of_volume[volume] if key != but.key) or "another VM"


def volume_of_template(vm: VirtualMachine, disk: VirtualMachineVolume) -> Volume:
    """The Volume a template asks for. The VM owns it, so that it goes with the VM, unless it is to be retained."""
    template = disk.template
    assert template is not None
    source = VolumeSource(type="Image", ref=template.image_ref) if template.image_ref else VolumeSource()
    retained = template.reclaim_policy == "Retain"
    return Volume(
        metadata=ObjectMeta(
            name=volume_name(vm, disk.name),
            namespace=vm.namespace,
            owner_references=() if retained else (vm.as_owner(),),
        ),
        spec=VolumeSpec(
            size=template.size,
            class_name=template.class_name or "standard",
            source=source,
            reclaim_policy="Retain" if retained else "Delete",
        ),
    )
