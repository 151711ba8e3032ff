"""How long modelled work takes that shares nothing with other work, and what comes of it: a function of the command."""

from __future__ import annotations

import hashlib
import math

from drover.control.driver.commands import (
    Activate,
    Boot,
    Command,
    Completion,
    Fence,
    Imported,
    ImportFailed,
    ImportImage,
    PrepareTarget,
    ProvisionVolume,
    ResizeVolume,
    Result,
    Shutdown,
)
from drover.model.migration import MODELLED

BOOT_SECONDS = 8.0
"""Median modelled boot, from power-on to a guest that answers."""
BOOT_SIGMA = 0.25
SHUTDOWN_SECONDS = 3.0
IMPORT_BYTES_PER_SECOND = 125e6
"""Modelled image transfer: a 1 Gbit/s path to the image source."""
PROVISION_SECONDS = 1.5
PROVISION_BYTES_PER_SECOND = 1e9
"""Modelled volume creation: a fixed cost, plus copying from its image at the storage's write rate."""
RESIZE_SECONDS = 1.0
FENCE_SECONDS = 15.0
"""Modelled fencing: from the request to a host's management controller until the host is known to be off."""


def fixed_answer(command: Command) -> Completion:
    """When and how a command ends that no other one delays. Pure. Raises TypeError for one that crosses the network."""
    seconds, result = _model(command)
    return Completion(command, command.since + command.pace.wall(seconds), result)


def _model(command: Command) -> tuple[float, Result]:
    """(model seconds, result) of a command."""
    match command:
        case Boot():
            return boot_seconds(command.pace.seed, command.uid, command.attempt), None
        case Shutdown():
            return SHUTDOWN_SECONDS, None
        case ImportImage():
            return _import(command)
        case ProvisionVolume():
            return PROVISION_SECONDS + command.copy_bytes / PROVISION_BYTES_PER_SECOND, None
        case ResizeVolume():
            return RESIZE_SECONDS, None
        case Fence():
            return FENCE_SECONDS, None
        case PrepareTarget():
            return MODELLED.setup, None
        case Activate():
            return MODELLED.activation, None
        case _:
            raise TypeError(f"{type(command).__name__} depends on what else is on the network")


def boot_seconds(seed: int, uid: str, attempt: int) -> float:
    """Model seconds of one boot: log-normal around the median, the same for the same seed, VM and attempt."""
    digest = hashlib.sha256(f"boot/{seed}/{uid}/{attempt}".encode()).digest()
    # Twelve uniforms less six are near enough a standard normal, bounded, and the same on every machine.
    normal = sum(byte / 255 for byte in digest[:12]) - 6
    return BOOT_SECONDS * math.exp(BOOT_SIGMA * normal)


def checksum_of(url: str) -> str:
    """The checksum of the modelled file behind a URL."""
    return f"sha256:{hashlib.sha256(url.encode()).hexdigest()}"


def _import(command: ImportImage) -> tuple[float, Result]:
    seconds = command.size_bytes / IMPORT_BYTES_PER_SECOND
    if "/missing/" in command.url:
        return 0.5, ImportFailed("SourceNotFound", f"{command.url} answered 404 Not Found", retryable=False)
    if "/flaky/" in command.url:
        broken = f"transfer of {command.url} broke off after {command.size_bytes // 2} of {command.size_bytes} bytes"
        return seconds / 2, ImportFailed("TransferInterrupted", broken, retryable=True)
    return seconds, Imported(checksum_of(command.url))
