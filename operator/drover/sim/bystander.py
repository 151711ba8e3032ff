"""What a bystander with a stop-watch would charge: from the phases that VMs showed, without a look at any usage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from drover.api.virtualmachine import VirtualMachine
from drover.control.driver import Pace, Shutdown, answer
from drover.model.usage import Line, Sums, amounts, milliseconds


class Bystander:
    """Sees every version of VMs that live once: placed, stopped or deleted, gone.

    A guest runs from when its VM was placed to when the driver had shut it down, and the driver answers anybody who
    asks how long that took.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._vms: dict[str, VirtualMachine] = {}
        self.began: dict[str, datetime] = {}
        self.down: dict[str, datetime] = {}

    def see(self, vm: VirtualMachine) -> None:
        for transition in vm.status.phase_transitions:
            if transition.phase == "Starting":
                self.began.setdefault(vm.uid, transition.at)
        if vm.status.host_name:
            self._vms[vm.uid] = vm
        if vm.status.phase in ("Stopping", "Terminating") and vm.status.host_name and vm.status.transition_started_at:
            shutdown = Shutdown(vm.uid, vm.status.transition_started_at, self._pace)
            self.down.setdefault(vm.uid, answer(shutdown).at)

    def truth(self) -> Mapping[str, Sums]:
        """Of each namespace, what ran."""
        sums: dict[str, Sums] = {}
        for uid, vm in self._vms.items():
            used = amounts(milliseconds(self.began[uid]), milliseconds(self.down[uid]), _rates(vm))
            sums[vm.namespace] = sums.get(vm.namespace, Counter()) + used
        return sums


def _rates(vm: VirtualMachine) -> dict[Line, int]:
    flavor = vm.status.flavor
    assert flavor is not None, "what has a host has a size"
    return {
        Line("vcpu", flavor.name, "Running"): flavor.vcpus,
        Line("memory", flavor.name, "Running"): flavor.memory_bytes,
        Line("instance", flavor.name, "Running"): 1,
        Line("volume", "root", "Running"): flavor.root_disk_bytes,
    }
