"""The phases of hosts and node pools."""

from statemachines.machine import ANY, NEW, Machine, Step

HOST = Machine(
    kind="Host",
    says="The condition `Ready` says whether guests can run on a host, also in maintenance; it is Unknown while the "
    "host is out of reach. A host that is lost is fenced, and its VMs restart only then. Times are model seconds.",
    groups={"Up": ("Ready", "Draining", "Maintenance"), "Down": ("NotReady", "Failed", "Off")},
    steps=(
        Step(NEW, "Ready", "made by its pool"),
        Step("Ready", "Draining", "maintenance.mode Drain"),
        Step("Draining", "Maintenance", "no VM is left"),
        Step("Maintenance", "Ready", "mode None"),
        Step("Ready", "NotReady", "out of reach"),
        Step("NotReady", "Ready", "back"),
        Step("NotReady", "Failed", "for 60 s"),
        Step("Ready", "Failed", "crash"),
        Step("Failed", "Ready", "repaired"),
        Step("Ready", "Off", "powerState Off"),
        Step("Off", "Ready", "On"),
    ),
    rarer=(
        Step("Up", "Down", "out of reach, crashed, switched off, or its pool is gone"),
        Step("Down", "Up", "the cause is gone, and all its VMs know if their guests died"),
        Step(NEW, "Up", "made while a drain is declared"),
        Step(NEW, "Down", "made switched off, broken or without its pool"),
        Step("Draining", "Ready", "mode None before it was empty"),
        Step("Ready", "Maintenance", "maintenance.mode Drain, and no VM is on it"),
        Step("Maintenance", "Draining", "a VM that was on its way has arrived"),
        Step("Down", "Down", "another cause, or repaired: NotReady until its VMs know that their guests died"),
    ),
)

NODE_POOL = Machine(
    kind="NodePool",
    says="A pool makes hosts from its template, and takes them away through maintenance, without losing a VM.",
    groups={"Working": ("Pending", "Ready", "Degraded")},
    steps=(
        Step(NEW, "Pending", "hosts are made"),
        Step("Pending", "Ready", "the first host is ready"),
        Step("Ready", "Degraded", "some hosts are not ready"),
        Step("Degraded", "Ready", "all are"),
    ),
    rarer=(
        Step(NEW, "Working", "its hosts exist already, or replicas is 0"),
        Step("Working", "Working", "the phase follows from the hosts alone"),
        Step(ANY, "Terminating", "deleted: it stays while VMs are on its hosts, then its hosts go"),
    ),
)
