"""The phases of virtual machines and of their live migrations."""

from statemachines.machine import ANY, NEW, Machine, Step

VIRTUAL_MACHINE = Machine(
    kind="VirtualMachine",
    says="One PATCH takes a VM from waiting to Starting: its host, addresses and volumes and the interval it is "
    "charged for appear together. A VM that waits has no timer: what it lacks wakes it. One that is stopped keeps its "
    "addresses and volumes, and gives up its host. *Unknown* is a VM whose host is lost or out of reach: nothing "
    "is started elsewhere before the host is fenced.",
    groups={
        "Waiting": ("Pending", "Provisioning", "Unschedulable"),
        "OnHost": ("Starting", "Running", "Paused", "Migrating", "Stopping"),
    },
    boxes=("Waiting",),
    unwritten=("Scheduling", "CrashLoopBackOff"),
    steps=(
        Step(NEW, "Waiting", "created"),
        Step("Waiting", "Starting", "placed"),
        Step("Starting", "Running", "the guest has booted"),
        Step("Running", "Paused", "pause"),
        Step("Paused", "Running", "resume"),
        Step("Running", "Migrating", "a target is claimed"),
        Step("Migrating", "Running", "moved, or not"),
        Step("Running", "Stopping", "stop or eviction"),
        Step("Stopping", "Stopped", "the guest is off"),
        Step("Stopped", "Waiting", "switched on"),
        Step("Running", "Unknown", "host lost"),
        Step("Unknown", "Running", "seen again"),
        Step("Unknown", "Waiting", "to restart elsewhere"),
        Step("Unknown", "Failed", "runStrategy Once"),
    ),
    rarer=(
        Step(NEW, "Stopped", "created with runStrategy Halted, or Manual"),
        Step(NEW, "Starting", "created, and placed at once"),
        Step("Waiting", "Waiting", "something else is missing now"),
        Step("Waiting", "Stopped", "switched off before it was placed"),
        Step("Starting", "Stopping", "switched off"),
        Step("Paused", "Stopping", "stop, restart, eviction or preemption, as from Running"),
        Step("Migrating", "Stopping", "stop or restart: its migration ends"),
        Step("Stopping", "Starting", "restart, eviction, preemption: placed at once"),
        Step("Stopping", "Waiting", "restart, eviction, preemption: there is no room yet"),
        Step("Stopped", "Starting", "switched on, and placed at once"),
        Step("OnHost", "Unknown", "the host is lost or out of reach"),
        Step("Unknown", "OnHost", "the host is seen again: as before; Starting also where the guest must boot again"),
        Step("Unknown", "Stopped", "switched off, and the host is fenced or back"),
        Step("OnHost", "Starting", "the host was lost and fenced before the VM was looked at: it starts elsewhere"),
        Step("OnHost", "Waiting", "the same, and there is no room yet"),
        Step("OnHost", "Stopped", "the same, and it is switched off"),
        Step("OnHost", "Failed", "the same, with runStrategy Once"),
        Step("Failed", "Waiting", "runStrategy is no longer Once, and there is no room yet"),
        Step("Failed", "Starting", "runStrategy is no longer Once"),
        Step("Failed", "Stopped", "runStrategy is Halted now"),
        Step(ANY, "Terminating", "deleted: the guest is shut down, and its last usage recorded"),
    ),
)

MIGRATION = Machine(
    kind="VirtualMachineMigration",
    says="The target is claimed in the PATCH that leaves Pending. Whatever ends a migration before its point of no "
    "return leaves the VM intact on its source; that point is the VM's own PATCH of `status.hostName`, which it makes "
    "once it sees Commitment, or the PATCH that says PostCopy. Each phase's work begins where the one before it ended, "
    "not when somebody looked.",
    groups={"Copying": ("PreparingTarget", "PreCopy", "StopAndCopy")},
    unwritten=("Scheduling", "Scheduled", "TargetReady"),
    steps=(
        Step(NEW, "Pending", "created"),
        Step("Pending", "PreparingTarget", "a slot and a target are claimed"),
        Step("PreparingTarget", "PreCopy", "the target is ready"),
        Step("PreCopy", "StopAndCopy", "a stop rule has hit"),
        Step("StopAndCopy", "Commitment", "all is sent"),
        Step("StopAndCopy", "PostCopy", "the guest goes on at the target"),
        Step("PostCopy", "Commitment", "all pages are there"),
        Step("Commitment", "Activation", "the VM has moved"),
        Step("Activation", "Succeeded", "its addresses are announced"),
        Step("PreCopy", "Failed", "it cannot go on"),
        Step("PreCopy", "Cancelled", "cancel"),
        Step("PostCopy", "Failed", "the guest is lost"),
    ),
    rarer=(
        Step(NEW, "PreparingTarget", "a slot and a target are free at once"),
        Step(NEW, "Failed", "the VM does not exist, cannot be moved or is being moved"),
        Step(NEW, "Cancelled", "cancelled at once, or its plan is over"),
        Step("Pending", "Failed", "the VM is gone or stopped, or nothing fits for 300 s"),
        Step("Pending", "Cancelled", "cancelled, or its plan is over"),
        Step(
            "Copying",
            "Failed",
            "the VM is stopped or deleted, a host or the link lost, or it does not converge",
        ),
        Step("Copying", "Cancelled", "cancelled: the guest stays where it is"),
        Step("Commitment", "Failed", "a host or the VM is lost just then"),
    ),
)
