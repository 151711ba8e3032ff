"""The phases of migration plans."""

from statemachines.machine import NEW, Machine, Step

_UNDER_WAY = ("Migrating", "PreCopy", "StopAndCopy", "PostCopy", "Commitment", "Activation")

MIGRATION_PLAN = Machine(
    kind="MigrationPlan",
    says="A plan is planned before it has a phase. One that waits is planned again when what it is based on has "
    "changed, a rehearsal (Planned) only when its spec is edited. While a plan of a single VM works, it shows that "
    "migration's own phase instead of Migrating.",
    groups={
        "UnderWay": _UNDER_WAY,
        "ForOne": _UNDER_WAY[1:],
        "Waits": ("AwaitingApproval", "Queued"),
        "Done": ("Succeeded", "PartiallySucceeded", "Failed"),
        "NotBegun": ("Superseded", "Expired"),
    },
    boxes=("Done", "NotBegun"),
    unwritten=("Pending",),
    steps=(
        Step(NEW, "AwaitingApproval", "approval Manual"),
        Step(NEW, "Queued", "approval Automatic"),
        Step(NEW, "Planned", "mode DryRun"),
        Step("AwaitingApproval", "Queued", "approved"),
        Step("Queued", "Migrating", "it may begin"),
        Step("Migrating", "Done", "every VM has moved or failed"),
        Step("Migrating", "Cancelling", "cancel"),
        Step("Cancelling", "Cancelled", "all have ended"),
        Step("Queued", "NotBegun", "a newer plan, or the window is over"),
    ),
    rarer=(
        Step(NEW, "Done", "nothing is left to move, or it cannot be planned"),
        Step(NEW, "Cancelled", "cancelled before it was planned"),
        Step("Queued", "AwaitingApproval", "approval is asked for, or withdrawn"),
        Step("Queued", "ForOne", "it has begun, and its one VM is on its way already"),
        Step("AwaitingApproval", "NotBegun", "a newer plan moves its VMs, or its window is over"),
        Step("Waits", "Done", "planned again: nothing is left to move, or it cannot be planned any more"),
        Step("Queued", "Cancelling", "cancelled just as its first migrations were made"),
        Step("Waits", "Cancelled", "cancelled"),
        Step("UnderWay", "UnderWay", "a plan of one VM follows its migration, and is Migrating between two attempts"),
        Step("ForOne", "Done", "its VM has moved or failed"),
        Step("ForOne", "Cancelling", "cancelled"),
        Step("UnderWay", "Expired", "the window is over, and VMs are left"),
        Step("UnderWay", "Cancelled", "cancelled, or what was left of it was"),
        Step("Planned", "Waits", "mode is Execute now"),
        Step("Planned", "Cancelled", "cancelled"),
        Step("Planned", "Done", "edited: mode is Execute now and nothing is left to move, or it cannot be planned"),
    ),
)
