"""Where a VM gains a host, at its start or as the target of its migration: is it right there?

Only the newcomer is judged, at the instant its claim appears: what users change later binds nobody who is there. And
it is judged by what the operator may have known when it decided (`drover.sim.history`): broken is a rule that is
broken by every combination of versions. The VM itself is known exactly where its own status claims the host, for that
write is refused if the VM has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import cast

from drover.api.flavor import Flavor
from drover.api.host import Host
from drover.api.image import Image
from drover.api.nodepool import NodePool
from drover.api.virtualmachine import VirtualMachine
from drover.api.virtualmachinemigration import VirtualMachineMigration
from drover.sim.fitness import View
from drover.sim.history import History
from drover.sim.picture import Picture


@dataclass(frozen=True)
class Newcomer:
    """A VM that has just got a claim on a host."""

    vm: VirtualMachine
    host: str
    at: datetime
    """When this was decided."""
    migration: VirtualMachineMigration | None
    """The one whose target the host is; None where the VM itself was placed there."""
    history: History

    @cached_property
    def versions(self) -> Sequence[VirtualMachine]:
        """The VM as it may have been when this was decided."""
        if self.migration is None:
            return [self.vm]
        versions = self.history.known(VirtualMachine, self.vm.namespace, self.vm.name, self.at)
        return [version for version in versions if version is not None]

    def views(self, host: str) -> Iterator[View]:
        """The VM beside a host, in every combination of what may have been known; the present one last."""
        known, flavor, image = self.history.known, self.vm.status.flavor, self.vm.spec.image_ref
        flavors = known(Flavor, "", flavor.name, self.at) if flavor is not None else [None]
        images = known(Image, image.namespace or self.vm.namespace, image.name, self.at) if image else [None]
        hosts = known(Host, "", host, self.at)
        pool = next((version.spec.pool_ref.name for version in hosts if version is not None), "")
        pools = known(NodePool, "", pool, self.at)
        for vm in self.versions:
            for flavor_ in flavors:
                for image_ in images:
                    for host_ in hosts:
                        for pool_ in pools:
                            yield View(vm, self.migration, flavor_, image_, host_, pool_)


def newcomers(before: Picture, now: Picture, history: History) -> Iterator[Newcomer]:
    for uid, vm in now.vms.items():
        placement, old = vm.status.placement, before.vms.get(uid)
        if old is vm or placement is None or not vm.status.host_name or placement.host_name != vm.status.host_name:
            continue
        if old is None or old.status.placement != placement:
            yield Newcomer(vm, vm.status.host_name, placement.decided_at, None, history)
    for migration in now.targeting():
        host, vm = cast(str, migration.status.target_host), now.vms[cast(str, migration.status.vm_uid)]
        if vm.uid not in before.claims.get(host, {}):
            yield Newcomer(vm, host, cast(datetime, migration.status.start_timestamp), migration, history)
