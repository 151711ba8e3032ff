"""Image: a content imported once, that VMs boot from and volumes are filled from.

::

    Pending --import begins--> Importing --all sent--> Ready <--spec.state--> Deactivated
      ^                           |   |
      +-- retryAfter (20 s, x2) --+   +-- 404, retries spent, checksum differs --> Failed
    (any) --deleted--> Terminating --not protected, no VM, no volume--> gone

A checksum that differs is judged on the content that was received: correcting ``spec.checksum`` mends it without a
second import.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from drover.api.image import Image
from drover.api.meta import Key
from drover.api.quantity import human
from drover.api.virtualmachine import VirtualMachine
from drover.api.volume import Volume
from drover.control.conditions import Verdict, false, true
from drover.control.driver import (
    IMPORT_BYTES_PER_SECOND,
    Completion,
    Imported,
    ImportFailed,
    ImportImage,
    Pace,
)
from drover.control.outcome import Controller, Event, Outcome, Watch, warning
from drover.control.progress import quarters
from drover.control.stage import (
    IN_USE,
    Hold,
    Stage,
    conclude,
    counted,
    named,
    progressing,
    ready,
    stalled,
    waiting,
)
from drover.control.watching import on_change
from drover.control.world import World
from drover.control.world.claims import images_of_vm, images_of_volume

BACKOFF_SECONDS = 20.0
"""Model seconds before the first retry; doubled before each further one."""


def reconcile(image: Image, world: World, now: datetime) -> Outcome:
    vms, volumes = world.vms_of_image[image.key], world.volumes_of_image[image.key]
    stage = _stage(image, world, now)
    verdicts = (*stage.verdicts, *_verified(image, stage), *_in_use(vms, volumes))
    fields = {**stage.fields, "in_use_by": len(vms) + len(volumes)}
    stage = replace(stage, verdicts=verdicts, fields=fields)
    return conclude(image, stage, now, _hold(image, vms, volumes))


def _stage(image: Image, world: World, now: datetime) -> Stage:
    if image.spec.state == "Deactivated":
        return _deactivated(image)
    if image.status.size_bytes is not None:
        return _judged(image, image.status.checksum)
    if image.spec.source.http is None:
        return _imported(image, None, 0)
    if _source_not_found(image):
        return Stage("Failed", stalled("SourceNotFound", _ready_message(image)))
    if image.status.failed_attempts > image.spec.retry:
        return Stage("Failed", stalled("RetryLimitExceeded", _limit_message(image)))
    if image.status.retry_after is not None and now < image.status.retry_after:
        return _waiting_to_retry(image, image.status.failed_attempts, image.status.retry_after)
    return _importing(image, world.pace(), world, now)


# Importing


def _importing(image: Image, pace: Pace, world: World, now: datetime) -> Stage:
    since = image.status.import_started_at
    begun = since is not None
    command = ImportImage(
        uid=image.uid,
        attempt=image.status.failed_attempts,
        since=since if since is not None else now,
        pace=pace,
        url=_url(image),
        size_bytes=_size(image),
    )
    completion = world.completion(command)
    if completion is not None:
        return _ended(image, completion, pace)
    whole = pace.wall(_size(image) / IMPORT_BYTES_PER_SECOND)
    percent, next_quarter = quarters(command.since, whole, now)
    if begun:  # a pool with another time scale must not take back what was told
        percent = max(percent, int((image.status.progress or "0%").removesuffix("%")))
    attempt = f", attempt {command.attempt + 1} of {image.spec.retry + 1}" if command.attempt else ""
    return Stage(
        phase="Importing",
        verdicts=progressing("Importing", f"fetching {human(_size(image))} from {_url(image)}{attempt}"),
        fields={"import_started_at": command.since, "retry_after": None, "progress": f"{percent}%"},
        events=_progress_events(image, percent, begun),
        requeue_at=next_quarter,
        work=frozenset({command}),
    )


def _progress_events(image: Image, percent: int, begun: bool) -> tuple[Event, ...]:
    if not begun:
        return (Event("ImportStarted", f"fetching {human(_size(image))} from {_url(image)}"),)
    told = f"{percent}%"
    return (Event("ImportProgress", told),) if percent and told != image.status.progress else ()


def _ended(image: Image, completion: Completion, pace: Pace) -> Stage:
    match completion.result:
        case ImportFailed() as failure:
            return _failed(image, failure, completion.at, pace)
        case Imported(checksum):
            return _imported(image, checksum, _size(image))
        case other:
            raise TypeError(f"an import ended with {other!r}")


def _failed(image: Image, failure: ImportFailed, at: datetime, pace: Pace) -> Stage:
    failures = image.status.failed_attempts + 1
    fields = {"failed_attempts": failures, "import_started_at": None, "progress": None}
    events = (warning("ImportFailed", failure.message),)
    if not failure.retryable:
        why = f"{failure.message}: create a new image with a source that exists"
        return Stage("Failed", stalled("SourceNotFound", why), fields, events)
    if failures > image.spec.retry:
        counted_up = image.model_copy(update={"status": image.status.model_copy(update={"failed_attempts": failures})})
        return Stage("Failed", stalled("RetryLimitExceeded", _limit_message(counted_up)), fields, events)
    retry_after = at + pace.wall(BACKOFF_SECONDS * 2 ** (failures - 1))
    waits = _waiting_to_retry(image, failures, retry_after)
    return replace(waits, fields={**fields, "retry_after": retry_after}, events=events)


def _waiting_to_retry(image: Image, failures: int, retry_after: datetime) -> Stage:
    left = f"attempt {failures} of {image.spec.retry + 1} to fetch {_url(image)} failed"
    when = f"the next one begins at {retry_after:%Y-%m-%dT%H:%M:%SZ}"
    return Stage("Pending", progressing("WaitingForSource", f"{left}; {when}"), requeue_at=retry_after)


# Imported


def _imported(image: Image, checksum: str | None, size_bytes: int) -> Stage:
    """The content is here: what it is, and what follows from its checksum."""
    stage = _judged(image, checksum)
    fields = {
        **stage.fields,
        "progress": "100%",
        "size_bytes": size_bytes,
        "checksum": checksum,
        "import_started_at": None,
        "retry_after": None,
    }
    succeeded = Event("ImportSucceeded", f"{human(size_bytes)} received" if checksum else "an empty disk")
    return replace(stage, fields=fields, events=stage.events or (succeeded,))


def _judged(image: Image, checksum: str | None) -> Stage:
    if _mismatch(image, checksum):
        why = f"received {checksum}, spec.checksum is {image.spec.checksum}: correct it, or create a new image"
        known = image.status.condition("Ready")
        told = known is not None and known.reason == "ChecksumMismatch"
        events = () if told else (warning("ChecksumMismatch", why),)
        return Stage("Failed", stalled("ChecksumMismatch", why), events=events)
    virtual = image.spec.virtual_size or image.spec.size
    fields = {"virtual_size_bytes": virtual.bytes if virtual else 0}
    return Stage("Ready", ready("Imported", "VMs and volumes can be made from it"), fields)


def _mismatch(image: Image, checksum: str | None) -> bool:
    return checksum is not None and image.spec.checksum not in (None, checksum)


def _verified(image: Image, stage: Stage) -> tuple[Verdict, ...]:
    """Whether the content is what ``spec.checksum`` says; nothing before there is any."""
    checksum = stage.fields.get("checksum", image.status.checksum)
    if checksum is None:
        return ()
    if image.spec.checksum is None:
        return (Verdict("Verified", "Unknown", "NoChecksum", f"spec.checksum is not set; received {checksum}"),)
    if _mismatch(image, checksum):
        return (false("Verified", "ChecksumMismatch", f"received {checksum}, expected {image.spec.checksum}"),)
    return (true("Verified", "ChecksumMatched", checksum),)


# Held back, deactivated, given up


def _deactivated(image: Image) -> Stage:
    """An import under way is dropped; one that succeeded is kept for when the image is active again."""
    events = (
        () if image.status.phase == "Deactivated" else (Event("ImageDeactivated", "no new VM or volume may use it"),)
    )
    imported = image.status.size_bytes is not None
    fields = {"import_started_at": None, "progress": "100%" if imported else None}
    why = "spec.state is Deactivated: set it to Active to make VMs and volumes from it"
    return Stage("Deactivated", waiting("Deactivated", why), fields, events)


def _source_not_found(image: Image) -> bool:
    final = image.status.condition("Stalled")
    return final is not None and final.reason == "SourceNotFound"


def _ready_message(image: Image) -> str:
    known = image.status.condition("Ready")
    return known.message if known is not None else ""


def _limit_message(image: Image) -> str:
    return (
        f"{counted(image.status.failed_attempts, 'import')} of {_url(image)} failed, {image.spec.retry} retries "
        f"allowed: raise spec.retry, or create a new image with another source"
    )


def _in_use(vms: list[Key], volumes: list[Key]) -> tuple[Verdict, ...]:
    return (true("InUse", IN_USE, _users(vms, volumes)),) if vms or volumes else ()


def _hold(image: Image, vms: list[Key], volumes: list[Key]) -> Hold | None:
    if image.spec.protected:
        return Hold("spec.protected is true: set it to false to let the image go", "Protected")
    if vms or volumes:
        return Hold(f"{_users(vms, volumes)}; delete them first")
    return None


def _users(vms: list[Key], volumes: list[Key]) -> str:
    return f"{counted(len(vms), 'VM')} and {counted(len(volumes), 'volume')}: {named([*vms, *volumes])}"


def _url(image: Image) -> str:
    return image.spec.source.http.url if image.spec.source.http else ""


def _size(image: Image) -> int:
    return image.spec.size.bytes if image.spec.size else 0


CONTROLLER = Controller(
    kind=Image.KIND,
    reconcile=reconcile,
    watches=(
        Watch(VirtualMachine.KIND, on_change(images_of_vm), after=1.0),
        Watch(Volume.KIND, on_change(images_of_volume), after=1.0),
    ),
)
