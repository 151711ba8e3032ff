"""UsageRecord: what a namespace has used in a month, by day. The operator writes it; nobody else need."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Resource, Status, Time
from drover.api.quantity import BigInteger
from drover.api.schema import Column, Count, NamespaceName, Rule, ShortName, Text, fixed_presence, immutable
from drover.api.usage import Meter, Sku

UsageRecordPhase = Literal["Open", "Terminating"]

Settled = Annotated[dict[str, Count], Field(max_length=65_536)]

_NEW_RECORD = "the operator creates a record for each month"


class UsageRecordSpec(Model):
    """Whose usage, and when."""

    RULES: ClassVar[tuple[Rule, ...]] = (fixed_presence("namespace", _NEW_RECORD),)

    month: Annotated[
        str,
        Field(max_length=7, pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$"),
        immutable("month", _NEW_RECORD),
    ]
    """The month in UTC, such as 2026-11. Immutable."""
    namespace: Annotated[NamespaceName, immutable("namespace", _NEW_RECORD)] | None = None
    """The namespace that used it, where that is gone or going; absent: the record's own. Immutable."""


class UsageSum(Model):
    """The sums of one meter, flavor or storage class, and state."""

    meter: Meter
    """What is counted: vcpu, memory, instance, volume, address or migration."""
    sku: Sku = ""
    """The flavor, or for a volume its storage class ("root": root disks on hosts); empty for the other meters."""
    state: ShortName
    """What the object was meanwhile: a VM's phase, Provisioned, Allocated."""
    total: BigInteger
    """The sum of days. vCPU-, byte-, instance- or address-milliseconds; for the meter migration bytes."""
    days: Annotated[tuple[BigInteger, ...], Field(max_length=31)]
    """The same for each day of the month, the first one first; the last of them is the last that is not 0."""


class UsageTotals(Model):
    """The month so far for people, rounded to thousandths; `drover usage` adds what is running."""

    vcpu_hours: Text = "0"
    """vCPU-hours."""
    memory_gib_hours: Annotated[Text, Field(alias="memoryGiBHours")] = "0"
    """GiB-hours of memory."""
    instance_hours: Text = "0"
    """Hours that VMs ran."""
    volume_gib_hours: Annotated[Text, Field(alias="volumeGiBHours")] = "0"
    """GiB-hours of volumes and root disks."""
    address_hours: Text = "0"
    """Hours that addresses were held."""


class RowsChecksum(Model):
    """The rows of the archive that the sums are the sums of."""

    rows: Count = 0
    """How many rows."""
    sha256_sum: Annotated[str, Field(max_length=64, pattern=r"^[0-9a-f]{64}$")] = "0" * 64
    """The sum of their SHA-256 modulo 2**256, in hexadecimal digits."""


class UsageRecordStatus(Status):
    """The usage that has ended. What is running is in the statuses of the objects that run."""

    phase: UsageRecordPhase | None = None
    """Open: what ends is added."""
    sums: Annotated[tuple[UsageSum, ...], Field(max_length=4096)] = ()
    """The sums, sorted by meter, sku and state."""
    totals: UsageTotals | None = None
    """The sums of the month by meter."""
    settled: Settled = Field(default_factory=dict)
    """uid of an object to the last seq of it that is in the sums; until the object itself no longer lists it."""
    archive: RowsChecksum | None = None
    """What the archive must hold of this month, where there is one (drover run --usage-archive)."""
    last_update_time: Time | None = None
    """When something was last added."""


class UsageRecord(Resource[UsageRecordSpec, UsageRecordStatus]):
    """What a namespace has used in a month, by day, meter, flavor or storage class, and state."""

    KIND: ClassVar[str] = "UsageRecord"
    PLURAL: ClassVar[str] = "usagerecords"
    SINGULAR: ClassVar[str] = "usagerecord"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("usagerec",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Month", ".spec.month"),
        Column("Of", ".spec.namespace", priority=1),
        Column("vCPU-h", ".status.totals.vcpuHours"),
        Column("GiB-h", ".status.totals.memoryGiBHours"),
        Column("Instance-h", ".status.totals.instanceHours"),
        Column("Volume-GiB-h", ".status.totals.volumeGiBHours"),
        Column("Address-h", ".status.totals.addressHours"),
        Column("Updated", ".status.lastUpdateTime", "date"),
    )

    spec: UsageRecordSpec
    status: UsageRecordStatus = UsageRecordStatus()

    @property
    def of(self) -> str:
        """The namespace that used it."""
        return self.spec.namespace or self.namespace
