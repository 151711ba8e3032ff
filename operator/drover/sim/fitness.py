"""Whether a host may have a VM, whoever else is there: Kubernetes' and Nova's rules, once more and plainly.

A `View` is the VM, the host and all else that this depends on, as the operator may have seen them at one moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from drover.api.flavor import Flavor
from drover.api.host import Host
from drover.api.image import Image
from drover.api.nodepool import NodePool
from drover.api.scheduling import Taint, Toleration
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration

_INTEL = ("Nehalem", "Westmere", "SandyBridge", "IvyBridge", "Haswell", "Broadwell", "Skylake-Server")
_LATER = ("Cascadelake-Server", "Icelake-Server", "SapphireRapids", "GraniteRapids")
CPU_LINES = ((*_INTEL, *_LATER), ("EPYC", "EPYC-Rome", "EPYC-Milan", "EPYC-Genoa", "EPYC-Turin"))
"""Named CPU models, oldest first: a guest given one runs on every later one of its line."""


@dataclass(frozen=True)
class View:
    """One VM and one host, and what they refer to. None: there is no such object, or none is named."""

    vm: VirtualMachine
    migration: VirtualMachineMigration | None
    """The migration that the host is to be the target of; None where the VM starts there."""
    flavor: Flavor | None
    image: Image | None
    host: Host | None = None
    pool: NodePool | None = None

    def rules(self) -> Iterator[str]:
        """What there is to judge."""
        if any(taint.effect == "NoSchedule" for taint in self._taints()):
            yield "taints"
        if self._selector():
            yield "selector"
        if any(self._traits()):
            yield "traits"
        if self._cpu_model() is not None:
            yield "cpu model"
        if self._pool() is not None:
            yield "pool"

    def unfit(self) -> str | None:
        """Why the host will not do, be it full or empty, open or closed."""
        if self.host is None:
            return "it does not exist"
        hardware, pool = self.host.spec.hardware, self._pool()
        if pool is not None and self.host.spec.pool_ref.name != pool:
            return f"it is not of pool {pool}"
        for name, value in self._selector().items():
            if hardware.labels.get(name) != value:
                return f"its label {name} is not {value}"
        required, forbidden = self._traits()
        if not required <= set(hardware.traits) or forbidden & set(hardware.traits):
            return f"its traits are {hardware.traits}"
        model = (self.pool.spec.cpu_baseline if self.pool is not None else None) or hardware.cpu.model
        if not _gives(model, self._cpu_model()):
            return f"it gives its guests {model}, not {self._cpu_model()}"
        cells = self.vm.status.flavor.numa_nodes if self.vm.status.flavor is not None else 0
        return "it has too few NUMA cells" if cells > hardware.cpu.sockets else None

    def closed(self) -> str | None:
        """What keeps everybody, or those who do not tolerate it, off a host for now."""
        if self.host is None:
            return "it does not exist"
        spec = self.host.spec
        if self.host.deleting or spec.unschedulable or spec.maintenance.mode == "Drain":
            return "it is cordoned, being drained or deleted"
        if spec.fault.type != "None" or spec.power_state == "Off":
            return "it is down"
        of_flavor = self.flavor.spec.tolerations if self.flavor is not None else ()
        tolerations = (*self.vm.spec.placement.tolerations, *of_flavor)
        for taint in self._taints():
            if taint.effect == "NoSchedule" and not any(_tolerates(one, taint) for one in tolerations):
                return f"its taint {taint.key} is not tolerated"
        return None

    def _taints(self) -> Sequence[Taint]:
        return (*self.host.spec.taints, *self.host.spec.hardware.taints) if self.host is not None else ()

    def _pool(self) -> str | None:
        """A migration stays in the VM's pool, unless it is told the very host."""
        own = self.vm.spec.placement.node_pool_name
        if self.migration is None:
            return own
        return None if self.migration.spec.target_host_name else own or self.vm.status.node_pool_name

    def _selector(self) -> Mapping[str, str]:
        added = self.migration.spec.added_node_selector if self.migration is not None else None
        of_flavor = self.flavor.spec.node_selector if self.flavor is not None else {}
        return {**(added or {}), **self.vm.spec.placement.node_selector, **of_flavor}

    def _traits(self) -> tuple[set[str], set[str]]:
        """Those required and those forbidden."""
        of_image = set(self.image.spec.required_traits) if self.image is not None else set()
        if self.flavor is None:
            return of_image, set()
        return of_image | set(self.flavor.spec.traits.required), set(self.flavor.spec.traits.forbidden)

    def _cpu_model(self) -> str | None:
        """A guest that runs keeps the model it was given at boot."""
        if self.migration is not None:
            return self.vm.status.cpu_model
        return self.vm.status.flavor.cpu_model if self.vm.status.flavor is not None else None


def _gives(model: str | None, wanted: str | None) -> bool:
    if wanted is None or wanted == model or wanted.startswith("x86-64-"):
        return True  # the psABI's levels are not looked at here
    line = next((line for line in CPU_LINES if wanted in line and model in line), None)
    return line is not None and line.index(str(model)) >= line.index(wanted)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect is not None and toleration.effect != taint.effect:
        return False
    if toleration.operator == "Exists":
        return toleration.key in ("", taint.key)
    return (toleration.key, toleration.value) == (taint.key, taint.value)
