"""Image: a disk content that VMs boot from and volumes are filled from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from drover.api.meta import Model, Resource, Status, Time
from drover.api.quantity import Quantity
from drover.api.scheduling import TraitSet
from drover.api.schema import Bytes, Column, Count, Rule, Text, above_zero, immutable

ImageSourceType = Literal["HTTP", "Blank"]
DiskFormat = Literal["qcow2", "raw", "iso", "vmdk", "vdi"]
OSType = Literal["Linux", "Windows", "BSD", "Other"]
ImageState = Literal["Active", "Deactivated"]
ImagePhase = Literal["Pending", "Importing", "Ready", "Failed", "Deactivated", "Terminating"]

_CHECKSUM = "checksum must be sha256: followed by 64 lower-case hexadecimal digits"


class HTTPSource(Model):
    """A modelled HTTP server. Its answers follow from the URL, so that every outcome can be reached."""

    url: Annotated[
        str,
        Field(max_length=2048),
        Rule(
            "self.startsWith('http://') || self.startsWith('https://')",
            "source.http.url must start with http:// or https://",
        ),
    ]
    """Where the image comes from. A path with /missing/ answers 404 (SourceNotFound); one with /flaky/ breaks
    off every transfer, which is retried. The content's checksum is the sha256 of the URL text itself."""


class BlankSource(Model):
    """An empty disk."""


class ImageSource(Model):
    """Where the content comes from: the member named by type."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("self.type != 'HTTP' || has(self.http)", "source.type HTTP needs source.http.url"),
        Rule("self.type == 'HTTP' || !has(self.http)", "source.http is only for source.type HTTP: remove one"),
        Rule(
            "self.type == 'Blank' || !has(self.blank)",
            "source.blank is only for source.type Blank: remove one",
        ),
    )

    type: ImageSourceType
    """HTTP (fetched from a URL) or Blank (an empty disk)."""
    http: HTTPSource | None = None
    """Where the content is, for type HTTP."""
    blank: BlankSource | None = None
    """For type Blank; may be left out."""


class ImageOS(Model):
    """The operating system inside."""

    type: OSType = "Linux"
    """Family of the operating system."""
    distribution: Text | None = None
    """Its distribution, such as debian."""
    version: Text | None = None
    """Its version, such as 13."""


class ImageSpec(Model):
    """The content and what it asks of a VM."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.source.type != 'HTTP' || has(self.size)",
            "source.type HTTP needs size: the bytes to transfer, such as 600Mi",
        ),
        Rule(
            "!has(self.minDisk) || !has(self.virtualSize)"
            " || !isQuantity(self.minDisk) || !isQuantity(self.virtualSize)"
            " || quantity(self.minDisk).compareTo(quantity(self.virtualSize)) >= 0",
            "minDisk must be at least virtualSize: raise minDisk or leave it out",
        ),
    )

    source: Annotated[ImageSource, immutable("source", "create a new image")]
    """Where the content comes from. Immutable."""
    checksum: Annotated[str, Field(max_length=71), Rule("self.matches('^sha256:[0-9a-f]{64}$')", _CHECKSUM)] | None = (
        None
    )
    """What the content must hash to, as sha256:<64 hex digits>; a content that differs fails the import."""
    disk_format: DiskFormat = "qcow2"
    """Format of the content."""
    size: Annotated[Quantity, above_zero("size")] | None = None
    """Bytes the import transfers; needed for type HTTP."""
    virtual_size: Quantity | None = None
    """Size of the disk the guest sees; a smaller root disk or volume is refused. Absent: size."""
    min_disk: Quantity | None = None
    """Smallest root disk or volume it may be put on."""
    min_memory: Quantity | None = None
    """Least memory a VM needs to boot it."""
    os: ImageOS | None = None
    """The operating system inside."""
    required_traits: TraitSet = ()
    """Traits a host must have to run a VM booted from it, such as HW_CPU_X86_AVX512F."""
    state: ImageState = "Active"
    """Deactivated: no new VM or volume may use it."""
    protected: bool = False
    """True: the image is kept when deleted, until this is set to false."""
    retry: Annotated[int, Field(ge=0, le=10)] = 3
    """How often a failed import is tried again, after 20 s, 40 s, 80 s and so on."""


class ImageStatus(Status):
    """What the operator knows of an image."""

    phase: ImagePhase | None = None
    """Where the import stands."""
    progress: Annotated[str, Field(max_length=8)] | None = None
    """Share transferred, such as 42%."""
    size_bytes: Bytes | None = None
    """Bytes transferred by the import that succeeded."""
    virtual_size_bytes: Bytes | None = None
    """Size of the disk the guest sees."""
    checksum: Annotated[str, Field(max_length=71)] | None = None
    """What the content hashed to."""
    failed_attempts: Count = 0
    """Imports that failed."""
    retry_after: Time | None = None
    """When the import is tried again."""
    import_started_at: Time | None = None
    """When the present import began."""
    in_use_by: Count = 0
    """VMs and volumes made from it, which keep it from being deleted."""


class Image(Resource[ImageSpec, ImageStatus]):
    """A disk content, imported once, that virtual machines boot from and volumes are filled from."""

    KIND: ClassVar[str] = "Image"
    PLURAL: ClassVar[str] = "images"
    SINGULAR: ClassVar[str] = "image"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("img",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Format", ".spec.diskFormat"),
        Column("OS", ".spec.os.distribution", priority=1),
        Column("Size", ".spec.virtualSize"),
        Column("Phase", ".status.phase"),
        Column("Progress", ".status.progress"),
        Column("In-Use", ".status.inUseBy", "integer", 1),
    )

    spec: ImageSpec
    status: ImageStatus = ImageStatus()
