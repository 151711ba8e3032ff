"""The closed sets of conditions and events: what each kind may say, and what it means.

Their words are used in drover.control; a test compares them with what its code says, and with what simulated objects
have been seen to say.
"""

from collections.abc import Mapping
from typing import NamedTuple, get_args

from drover.api.migrationplanstatus import PlanPhase
from drover.api.virtualmachinemigration import FailureReason, Verdict
from drover.control.world.claims import FINAL_PLAN_PHASES
from drover.model.placement.decision import RefusalReason


class ConditionType(NamedTuple):
    """A type of condition. ``means``: what is so where it is True."""

    type: str
    means: str
    reasons: tuple[str, ...]


class EventReason(NamedTuple):
    reason: str
    means: str
    warning: bool = False


def _c(type_: str, means: str, reasons: str) -> ConditionType:
    return ConditionType(type_, means, tuple(reasons.split()))


def _w(reason: str, means: str) -> EventReason:
    return EventReason(reason, means, warning=True)


_e = EventReason

COMMON = (
    _c("Reconciling", "Work on it is under way. Reason and message are those of Ready, if it has none of its own.", ""),
    _c("Stalled", "It will not get any further until somebody changes something. Never beside Reconciling.", ""),
    _c("Terminating", "It is being deleted, and something keeps it.", "InUse Protected DeletingHosts"),
)
"""Conditions that any kind may have, beside Ready."""
COMMON_EVENTS = (_w("DeletionBlocked", "It is being deleted, and something keeps it: what, and what to do."),)

_FINAL = tuple(phase for phase in get_args(PlanPhase) if phase in FINAL_PLAN_PHASES)
_QUIET = ("Succeeded", "Cancelled", "Superseded")

CONDITIONS: Mapping[str, tuple[ConditionType, ...]] = {
    "NodePool": (
        _c("Ready", "All hosts wanted exist and are ready.", "AllHostsReady HostsNotReady ScalingUp ScalingDown"),
        _c("CapacityAvailable", "There is room for VMs.", "Available NearlyFull Full"),
        _c("Balanced", "No host is loaded far above the others.", "WithinThreshold Imbalanced"),
        _c("FailoverCapacityAvailable", "The VMs of lost hosts would fit.", "Tolerates Insufficient"),
    ),
    "Host": (
        _c("Ready", "Guests can run here.", "HostReady HostFailed NetworkPartition PoweredOff PoolNotFound Recovering"),
        _c("Schedulable", "VMs can be placed here.", "Schedulable Cordoned InMaintenance HostNotReady"),
        _c("Drained", "Its drain is over: no VM is left.", "Drained InProgress Blocked"),
        _c("Fenced", "It is lost, and none of its guests can be running.", "Fenced Fencing"),
        _c("Overcommitted", "Its capacity shrank below what its VMs hold.", "CapacityShrank"),
        _c("Reconciling", "It is being drained.", "Draining"),
    ),
    "Flavor": (
        _c("Ready", "It can be used.", "Available Deprecated Obsolete"),
        _c(
            "Placeable",
            "Another VM of it fits now.",
            "CapacityAvailable OnlyWithoutFailover NoCapacity NoHostWithTraits",
        ),
    ),
    "Image": (
        _c(
            "Ready",
            "VMs and volumes can be made from it.",
            "Imported WaitingForSource Importing Deactivated SourceNotFound ChecksumMismatch RetryLimitExceeded",
        ),
        _c("Verified", "What was received has the checksum declared.", "ChecksumMatched ChecksumMismatch NoChecksum"),
        _c("InUse", "VMs or volumes name it.", "InUse"),
    ),
    "Volume": (
        _c(
            "Ready",
            "VMs can use it.",
            "Provisioned Provisioning ProvisioningFailed SourceNotReady WaitingForFirstConsumer",
        ),
        _c("Attached", "A VM holds it.", "Attached Detached AttachConflict"),
        _c("Resized", "It is as large as asked for.", "UpToDate InProgress"),
        _c("Migratable", "VMs that hold it can be migrated live.", "Shared"),
        _c("Reconciling", "It is being provisioned, or grows in use.", "Provisioning Resizing"),
    ),
    "Network": (
        _c("Ready", "VMs can be connected to it.", "Active AdminDown SubnetOverlap SegmentsExhausted SegmentConflict"),
        _c("AddressesAvailable", "There are free addresses.", "Available NearlyExhausted Exhausted"),
    ),
    "PlacementGroup": (_c("Ready", "No member breaks the policy, or the policy is a soft one.", "Satisfied Violated"),),
    "MigrationPolicy": (
        _c("Ready", "It is in force; Shadowed where other policies hold for all VMs it matches.", "Valid Shadowed"),
        _c("Conflicting", "Only its name decides between it and another one.", "PolicyConflict"),
    ),
    "VirtualMachine": (
        _c(
            "Ready",
            "The declared state is reached: it runs, or is stopped as declared. Unknown: its host is out of reach.",
            "Running Stopped Starting Stopping Paused Unschedulable Failed HostUnreachable FlavorNotFound ImageNotReady"
            " NetworkNotReady VolumeNotReady Scheduling",
        ),
        _c(
            "PrerequisitesReady",
            "All that it names is there and can be used.",
            "Ready FlavorNotFound FlavorObsolete ImageNotFound ImageNotReady ImageTooLarge NetworkNotReady"
            " AddressUnavailable VolumeNotReady PlacementGroupNotFound",
        ),
        _c("Scheduled", "It has a host.", " ".join(("Placed", *get_args(RefusalReason)))),
        _c("LiveMigratable", "It can be migrated live now.", "Migratable NotRunning PassthroughDevice"),
        _c("RestartRequired", "It runs with another flavor than it names.", "FlavorChanged"),
        _c("Paused", "Its guest stands still, as asked for.", "Paused"),
    ),
    "VirtualMachineMigration": (
        _c("Ready", "The VM has moved.", " ".join(("Succeeded", "InProgress", *get_args(FailureReason)))),
        _c("TargetReserved", "The target host holds room for the VM.", "Reserved NotReserved"),
        _c("Converging", "The copy comes nearer to its end.", "Converging Stalled NotConverging"),
        _c("AbortRequested", "It was asked to be given up.", "Requested"),
    ),
    "MigrationPlan": (
        _c(
            "Ready",
            "All its VMs have moved; of a dry run: it is planned.",
            "Succeeded AlreadySatisfied DryRunComplete InProgress AwaitingApproval Blocked Failed Cancelled Superseded"
            " Expired",
        ),
        _c("Planned", "Targets, waves and times are known.", "Planned NotMigratable"),
        _c("Feasible", "All VMs can leave, and all copies should end.", " ".join(get_args(Verdict))),
        _c("Approved", "It was approved; only where approval is Manual.", "Approved AwaitingApproval"),
        _c(
            "Executing",
            "Migrations are under way, or may start.",
            "Executing Stopping Cancelling RollingBack Queued DryRun Finished AwaitingApproval Paused WindowNotOpen"
            " WindowClosed BudgetExceeded",
        ),
        _c("WithinWindow", "Migrations may start now; only where it has a window.", "Open NotYetOpen Closed"),
        _c("WithinBudget", "It keeps to its limits; only where it has some.", "Within TooSmall Spent"),
    ),
    "UsageRecord": (_c("Ready", "What has ended is in the sums within a minute.", "Recorded"),),
}

EVENTS: Mapping[str, tuple[EventReason, ...]] = {
    "NodePool": (
        _e("HostAdded", "It has made a host."),
        _e("HostRemoved", "It has deleted a host."),
        _w("PoolNearlyFull", "There is little room left."),
        _w("FailoverCapacityLost", "The VMs of lost hosts would no longer fit."),
    ),
    "Host": (
        _e("HostReady", "Guests can run here again, or for the first time."),
        _e("HostNotReady", "It is off, or does not know its pool."),
        _w("HostFailed", "It has crashed, or is out of reach."),
        _e("HostFenced", "None of its guests can be running: they may restart elsewhere."),
        _e("HostCordoned", "No new VM is placed here."),
        _e("DrainStarted", "Its VMs are being moved away."),
        _w("DrainBlocked", "VMs cannot leave: which, and why."),
        _e("DrainCompleted", "No VM is left."),
        _e("DrainCancelled", "What has not started is cancelled."),
    ),
    "Flavor": (
        _e("FlavorDeprecated", "New VMs should use another."),
        _e("FlavorObsolete", "No new VM may use it."),
        _w("CapacityExhausted", "No further VM of it fits."),
        _e("CapacityRestored", "Another VM of it fits again."),
    ),
    "Image": (
        _e("ImportStarted", "It is being fetched."),
        _e("ImportProgress", "How far the import is."),
        _e("ImportSucceeded", "It can be used."),
        _w("ImportFailed", "An attempt failed, and why."),
        _w("ChecksumMismatch", "What was received is not what was declared."),
        _e("ImageDeactivated", "No new VM or volume may use it."),
    ),
    "Volume": (
        _e("ProvisioningSucceeded", "It can be used."),
        _w("ProvisioningFailed", "It cannot be made as declared."),
        _e("Attached", "A VM holds it."),
        _e("Detached", "A VM has given it back."),
        _e("ResizeStarted", "It is growing."),
        _e("ResizeSucceeded", "It has grown."),
    ),
    "Network": (
        _e("SegmentAllocated", "It has its segment."),
        _w("AddressPoolExhausted", "No address is free."),
    ),
    "PlacementGroup": (
        _e("GroupSatisfied", "No member breaks the policy any more."),
        _w("GroupViolated", "Members break the policy: which, and where they are."),
    ),
    "MigrationPolicy": (
        _e("PolicyMatched", "It holds for VMs now."),
        _w("PolicyConflict", "Only its name decides between it and another one."),
    ),
    "VirtualMachine": (
        _e("Scheduled", "It has a host: which, and why that one."),
        _w("FailedScheduling", "No host fits: why, and what would help."),
        _e("Preempting", "VMs of lower priority are stopped to make room for it."),
        _e("Preempted", "It is stopped to make room for a VM of higher priority."),
        _e("Started", "Its guest runs."),
        _e("Stopping", "Its guest is shutting down."),
        _e("Stopped", "Its guest is stopped, and its place given back."),
        _e("Restarted", "It boots again."),
        _e("Paused", "Its guest stands still."),
        _e("Resumed", "Its guest goes on."),
        _e("Migrating", "It is being migrated: from where to where."),
        _e("Migrated", "It runs on its new host: what the move took."),
        _w("MigrationFailed", "It stays where it was."),
        _e("MigrationCancelled", "It stays where it was, as asked for."),
        _e("EvictionRequested", "It is stopped, to start elsewhere: its host is being drained."),
        _w("HostLost", "Its host has failed or is out of reach."),
        _e("Evacuated", "It has left a lost host."),
        _w("InvalidAction", "Its annotation drover.dev/action cannot be carried out."),
        _e("Terminated", "It has given back host, addresses and volumes."),
    ),
    "VirtualMachineMigration": (
        _e("MigrationQueued", "It waits for a slot."),
        _e("TargetReserved", "The target holds room for the VM."),
        _w("EstimatedNotToConverge", "By the estimate its copy does not end by itself."),
        _e("PreCopyStarted", "Memory is being copied."),
        _e("PreCopyPass", "How a pass of the copy went."),
        _w("AutoConverge", "The guest's CPUs are slowed."),
        _e("DowntimeRaised", "The guest may pause for longer than before."),
        _w("StallDetected", "No pass has been better than an earlier one for long."),
        _e("SwitchOver", "The guest is paused for the last part."),
        _w("SwitchedToPostCopy", "The guest goes on at the target and pulls its memory from the source."),
        _e("SuccessfulMigration", "The VM has moved: what it took beside what was predicted."),
        _w("FailedMigration", "The VM stays: why."),
        _e("SuccessfulAbortMigration", "It was given up as asked; the VM stays."),
        _w("FailedAbortMigration", "It was too late to give it up."),
    ),
    "MigrationPlan": (
        _e("PlanComputed", "Targets, waves and times are known."),
        _e("PlanRevised", "It was planned anew: what it rested on has changed."),
        _w("PlanInfeasible", "VMs cannot leave, or their copies do not end."),
        _e("AwaitingApproval", "It waits for spec.approved."),
        _e("Approved", "It was approved."),
        _e("PlanQueued", "It waits for something: what."),
        _e("PlanPaused", "Nothing new starts."),
        _e("PlanResumed", "It goes on."),
        _e("WaveStarted", "A group of migrations begins."),
        _e("WaveCompleted", "A group of migrations is over."),
        *(EventReason(f"Plan{phase}", "It has ended so.", warning=phase not in _QUIET) for phase in _FINAL),
    ),
}
