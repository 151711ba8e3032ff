"""The phases of what VMs are made from, and of the kinds around them."""

from statemachines.machine import ANY, NEW, Machine, Step

_IN_USE = Step(ANY, "Terminating", "deleted, while VMs use it")

IMAGE = Machine(
    kind="Image",
    says="An image is imported once. An attempt that fails is repeated after 20, 40, 80 model seconds, `spec.retry` "
    "times; where there is nothing at the URL, not at all. A checksum that differs is judged on what was received: "
    "correcting `spec.checksum` fixes it without a second import.",
    steps=(
        Step(NEW, "Importing", "source HTTP"),
        Step(NEW, "Ready", "source Blank"),
        Step("Importing", "Ready", "received"),
        Step("Importing", "Pending", "attempt failed"),
        Step("Pending", "Importing", "next attempt"),
        Step("Importing", "Failed", "no attempt left, or another checksum"),
        Step("Ready", "Deactivated", "state Deactivated"),
        Step("Deactivated", "Ready", "state Active"),
    ),
    rarer=(
        Step(NEW, "Deactivated", "created with state Deactivated"),
        Step("Ready", "Failed", "spec.checksum is changed, and differs"),
        Step("Failed", "Ready", "spec.checksum is corrected or removed"),
        Step("Failed", "Importing", "spec.retry is raised"),
        Step("Failed", "Deactivated", "state Deactivated"),
        Step("Importing", "Deactivated", "state Deactivated: the import is dropped"),
        Step("Pending", "Deactivated", "state Deactivated"),
        Step("Deactivated", "Importing", "state Active, and it is not imported yet"),
        Step("Deactivated", "Pending", "state Active, and the next attempt is not due yet"),
        Step("Deactivated", "Failed", "state Active, and it had failed"),
        Step(ANY, "Terminating", "deleted, while it is protected or VMs or volumes use it"),
    ),
)

VOLUME = Machine(
    kind="Volume",
    says="The VMs' statuses say which of them hold a volume. It can be used while it grows.",
    unwritten=("Attaching", "Detaching"),
    steps=(
        Step(NEW, "WaitForFirstConsumer", "bindingMode WaitForFirstConsumer"),
        Step(NEW, "Pending", "its image is not ready"),
        Step(NEW, "Provisioning", "nothing to wait for"),
        Step("WaitForFirstConsumer", "Provisioning", "a VM names it"),
        Step("Pending", "Provisioning", "the image is ready"),
        Step("Provisioning", "Available", "made and filled"),
        Step("Available", "InUse", "a VM holds it"),
        Step("InUse", "Available", "no VM does"),
        Step("InUse", "Resizing", "size raised"),
        Step("Resizing", "InUse", "grown"),
    ),
    rarer=(
        Step(NEW, "Failed", "its image is larger"),
        Step("WaitForFirstConsumer", "Pending", "a VM names it, and its image is not ready"),
        Step("Pending", "WaitForFirstConsumer", "no VM names it any more"),
        Step("Failed", "WaitForFirstConsumer", "no VM names it any more"),
        Step("WaitForFirstConsumer", "Failed", "a VM names it, and its image is larger"),
        Step("Pending", "Failed", "its image is larger"),
        Step("Failed", "Provisioning", "size is raised to that of its image"),
        Step("Failed", "Pending", "its image is gone or not ready any more"),
        Step("Provisioning", "Failed", "its image has become larger than it"),
        Step("Available", "Resizing", "size is raised"),
        Step("Resizing", "Available", "grown, and no VM holds it"),
        _IN_USE,
    ),
)

NETWORK = Machine(
    kind="Network",
    says="A network fails where subnets overlap (which the API refuses), where no segment is left, or where two "
    "operators have given the same one away.",
    unwritten=("Pending",),
    steps=(
        Step(NEW, "Active", "a segment is allocated"),
        Step("Active", "Down", "adminStateUp false"),
        Step("Down", "Active", "adminStateUp true"),
        Step(NEW, "Failed", "no segment of its own"),
        Step("Failed", "Active", "fixed"),
    ),
    rarer=(
        Step(NEW, "Down", "created with adminStateUp false"),
        Step("Failed", "Down", "fixed, with adminStateUp false"),
        Step("Active", "Failed", "its segment turns out to be another network's too"),
        Step("Down", "Failed", "the same, with adminStateUp false"),
        Step(ANY, "Terminating", "deleted, while VMs hold addresses on it"),
    ),
)

_LIFECYCLE = ("Active", "Deprecated", "Obsolete")
FLAVOR = Machine(
    kind="Flavor",
    says="The phase is what `spec.lifecycle.state` declares. A deprecated flavor works; an obsolete one takes no new "
    "VMs.",
    groups={"Declared": _LIFECYCLE},
    steps=(
        Step(NEW, "Active", "created"),
        Step("Active", "Deprecated", "state Deprecated"),
        Step("Deprecated", "Obsolete", "state Obsolete"),
        Step("Obsolete", "Active", "state Active"),
    ),
    rarer=(
        Step(NEW, "Declared", "created in that state"),
        Step("Declared", "Declared", "set to that state"),
        _IN_USE,
    ),
)

PLACEMENT_GROUP = Machine(
    kind="PlacementGroup",
    says="",
    steps=(
        Step(NEW, "Satisfied", "created"),
        Step("Satisfied", "Violated", "members are where the policy does not want them"),
        Step("Violated", "Satisfied", "they have moved"),
    ),
    rarer=(
        Step(NEW, "Violated", "created for VMs that are placed otherwise already"),
        Step(ANY, "Terminating", "deleted, while VMs name it"),
    ),
)

MIGRATION_POLICY = Machine(
    kind="MigrationPolicy",
    says="It has one phase, `Ready`.",
    steps=(Step(NEW, "Ready", "created"),),
)

USAGE_RECORD = Machine(
    kind="UsageRecord",
    says="It has one phase, `Open`: a record may grow as long as it exists.",
    steps=(Step(NEW, "Open", "its first interval has ended"),),
    unwritten=("Terminating",),
)
