"""What a VM asks of placement, put together from its spec, its flavor, its image and its group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from drover.api.flavor import Flavor
from drover.api.image import Image
from drover.api.placementgroup import PlacementGroup
from drover.api.scheduling import AffinityTerm, TopologySpread, Traits
from drover.api.scheduling import Toleration as TolerationSpec
from drover.api.virtualmachine import ResolvedFlavor, VirtualMachine
from drover.control.world.claims import images_of_vm, size_of
from drover.control.world.cohorts import Member, Selected
from drover.control.world.selectors import selector_of
from drover.model.placement import Affinity, AntiAffinity, Request, Spread, Term, Toleration

if TYPE_CHECKING:
    from drover.control.world.world import World

SOFT_WEIGHT = 100
"""What a soft policy of a group weighs: as much as the whole range of the resource scores."""


def request_of(vm: VirtualMachine, size: ResolvedFlavor, world: World) -> Request:
    """The VM's request wherever it is placed; one that runs has to be given the CPU model that its guest sees.

    Its claim on the host it is on now does not stand in its own way. Where VM and flavor select different values of
    one label, the flavor's counts.
    """
    placement = vm.spec.placement
    own = request_of_flavor(world.get(Flavor, "", size.name), size)
    return replace(
        own,
        pool=placement.node_pool_name,
        node_selector={**placement.node_selector, **own.node_selector},
        tolerations=(*_tolerations(placement.tolerations), *own.tolerations),
        required_traits=own.required_traits | _traits_of_image(vm, world),
        cpu_model=(vm.status.cpu_model if vm.status.host_name else None) or own.cpu_model,
        terms=tuple(_terms(vm, world)),
        marks=world.books.cohorts.marks(vm),
        leaves=vm.status.host_name,
    )


def request_to_start(vm: VirtualMachine, size: ResolvedFlavor, world: World) -> Request:
    """At its start, and when its host has failed: whatever CPU model the guest saw before."""
    return replace(request_of(vm, size, world), cpu_model=size.cpu_model)


def request_of_flavor(flavor: Flavor | None, size: ResolvedFlavor) -> Request:
    """What every VM of a flavor asks for. Of a flavor that is gone only the size is known."""
    traits = flavor.spec.traits if flavor is not None else Traits()
    return Request(
        resources=size_of(size),
        node_selector=flavor.spec.node_selector if flavor is not None else {},
        tolerations=_tolerations(flavor.spec.tolerations if flavor is not None else ()),
        required_traits=frozenset(traits.required),
        forbidden_traits=frozenset(traits.forbidden),
        cpu_model=size.cpu_model,
        numa_nodes=size.numa_nodes,
        vcpus=size.vcpus,
    )


def residents(host: str, world: World) -> dict[str, Request]:
    """The VMs to be restarted elsewhere when a host fails, by uid."""
    vms = world.vms(world.vms_on[host])
    return {
        vm.uid: request_to_start(vm, vm.status.flavor, world)
        for vm in vms
        if vm.spec.high_availability.enabled and vm.status.flavor is not None
    }


def _tolerations(given: Iterable[TolerationSpec]) -> tuple[Toleration, ...]:
    return tuple(Toleration(one.key, one.operator, one.value, one.effect) for one in given)


def _traits_of_image(vm: VirtualMachine, world: World) -> frozenset[str]:
    images = (world.get(Image, key.namespace, key.name) for key in images_of_vm(vm))
    return frozenset(trait for image in images if image is not None for trait in image.spec.required_traits)


def _terms(vm: VirtualMachine, world: World) -> Iterator[Term]:
    for term in vm.spec.placement.affinity:
        yield _affinity(vm, term)
    for spread in vm.spec.placement.topology_spread:
        yield _spread(vm, spread)
    for repels in world.books.cohorts.repelled(vm):
        yield AntiAffinity(repels, repels.topology, told=f"anti-affinity of other VMs to {repels.selector}")
    name = vm.spec.placement.placement_group_name
    group = world.get(PlacementGroup, vm.namespace, name) if name else None
    if group is not None:
        yield _grouping(group)


def _affinity(vm: VirtualMachine, term: AffinityTerm) -> Term:
    selector = selector_of(term.label_selector)
    mark, weight = Selected(vm.namespace, selector), None if term.enforcement == "Required" else term.weight
    if term.type == "Affinity":
        told = f"affinity to {selector} by {term.topology_key}"
        return Affinity(mark, term.topology_key, weight, selector.matches(vm.metadata.labels), told)
    return AntiAffinity(mark, term.topology_key, weight, told=f"anti-affinity to {selector} by {term.topology_key}")


def _spread(vm: VirtualMachine, spread: TopologySpread) -> Spread:
    selector = selector_of(spread.label_selector)
    return Spread(
        Selected(vm.namespace, selector),
        spread.topology_key,
        spread.max_skew,
        required=spread.when_unsatisfiable == "DoNotSchedule",
        min_domains=spread.min_domains or 1,
        own=selector.matches(vm.metadata.labels),
        told=f"spread of {selector} over {spread.topology_key} with maxSkew {spread.max_skew}",
    )


def _grouping(group: PlacementGroup) -> Term:
    """Nova's server group policies."""
    mark, spec = Member(group.namespace, group.name), group.spec
    weight = SOFT_WEIGHT if spec.policy.startswith("Soft") else None
    told = f"{spec.policy} of placement group {group.name} by {spec.topology_key}"
    if spec.policy in ("Affinity", "SoftAffinity"):
        return Affinity(mark, spec.topology_key, weight, own=True, told=told)
    return AntiAffinity(mark, spec.topology_key, weight, limit=spec.max_per_domain, told=told)
